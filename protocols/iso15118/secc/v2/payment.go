package v2

import (
	"slices"

	"github.com/voltyard/voltyard/protocols/exi"
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitPaymentServiceSelection is the state in which the vehicle may ask for details of services, as often as it likes, and
// chooses.
type waitPaymentServiceSelection struct{}

func (waitPaymentServiceSelection) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.ServiceDetailReq, *v2.PaymentServiceSelectionReq:
		return true
	}
	return false
}

func (s waitPaymentServiceSelection) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	if r, ok := req.(*v2.ServiceDetailReq); ok {
		return m.serviceDetail(r)
	}
	r := req.(*v2.PaymentServiceSelectionReq)
	if !slices.Contains(m.paymentOptions().PaymentOption, r.SelectedPaymentOption) {
		return m.fail(req, v2.ResponseCodeFailedPaymentSelectionInvalid, secc.ClassParameter, "payment by contract is not offered on this connection")
	}
	charge := false
	for _, sel := range r.SelectedServiceList.SelectedService {
		switch {
		case sel.ServiceID == secc.ServiceCharge:
			charge = true
		case !m.offersService(sel):
			return m.fail(req, v2.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter, "a service that is not offered was selected")
		}
	}
	switch {
	case !charge:
		return m.fail(req, v2.ResponseCodeFailedNoChargeServiceSelected, secc.ClassParameter, "no charge service was selected")
	case r.SelectedPaymentOption == v2.PaymentOptionContract:
		return &v2.PaymentServiceSelectionRes{ResponseCode: v2.ResponseCodeOK}, waitContract{}
	}
	return &v2.PaymentServiceSelectionRes{ResponseCode: v2.ResponseCodeOK}, waitAuthorization{}
}

// offersService reports whether a service and, where it has any, the parameter set are offered.
func (m *Machine) offersService(sel v2.SelectedService) bool {
	for _, s := range m.services() {
		if s.ID != sel.ServiceID {
			continue
		}
		set, named := sel.ParameterSetID.Get()
		return !named || len(s.Sets) == 0 || slices.ContainsFunc(s.Sets, func(x secc.ServiceSet) bool { return x.ID == set })
	}
	return false
}

func (m *Machine) serviceDetail(r *v2.ServiceDetailReq) (v2.BodyElement, state) {
	res := &v2.ServiceDetailRes{ResponseCode: v2.ResponseCodeOK, ServiceID: r.ServiceID}
	if r.ServiceID == secc.ServiceCharge {
		return res, waitPaymentServiceSelection{}
	}
	all := m.services()
	i := slices.IndexFunc(all, func(s secc.Service) bool { return s.ID == r.ServiceID })
	if i < 0 {
		return m.fail(r, v2.ResponseCodeFailedServiceIDInvalid, secc.ClassParameter, "details of a service that is not offered")
	}
	var sets []v2.ParameterSet
	for _, s := range all[i].Sets {
		set := v2.ParameterSet{ParameterSetID: s.ID}
		for _, v := range s.Values {
			p := v2.Parameter{Name: v.Name}
			if v.Text != "" {
				p.StringValue = exi.Some(v.Text)
			} else {
				p.IntValue = exi.Some(v.Number)
			}
			set.Parameter = append(set.Parameter, p)
		}
		sets = append(sets, set)
	}
	if len(sets) > 0 {
		res.ServiceParameterList = exi.Some(v2.ServiceParameterList{ParameterSet: sets})
	}
	return res, waitPaymentServiceSelection{}
}
