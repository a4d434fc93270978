package v2

import (
	"github.com/voltyard/voltyard/protocols/iso15118/secc"
	"github.com/voltyard/voltyard/protocols/iso15118/v2"
)

// waitPaymentServiceSelection is the state in which the vehicle may ask for details of services and chooses.
type waitPaymentServiceSelection struct{}

func (waitPaymentServiceSelection) accepts(req v2.BodyElement) bool {
	switch req.(type) {
	case *v2.ServiceDetailReq, *v2.PaymentServiceSelectionReq:
		return true
	}
	return false
}

func (s waitPaymentServiceSelection) handle(m *Machine, req v2.BodyElement) (v2.BodyElement, state) {
	switch r := req.(type) {
	case *v2.ServiceDetailReq:
		if r.ServiceID != chargeServiceID {
			return m.fail(req, v2.ResponseCodeFailedServiceIDInvalid, secc.ClassParameter, "details of a service that is not offered")
		}
		return &v2.ServiceDetailRes{ResponseCode: v2.ResponseCodeOK, ServiceID: r.ServiceID}, s
	case *v2.PaymentServiceSelectionReq:
		if r.SelectedPaymentOption != v2.PaymentOptionExternalPayment {
			return m.fail(req, v2.ResponseCodeFailedPaymentSelectionInvalid, secc.ClassParameter, "payment by contract is not offered")
		}
		charge := false
		for _, sel := range r.SelectedServiceList.SelectedService {
			if sel.ServiceID != chargeServiceID {
				return m.fail(req, v2.ResponseCodeFailedServiceSelectionInvalid, secc.ClassParameter, "a service that is not offered was selected")
			}
			charge = true
		}
		if !charge {
			return m.fail(req, v2.ResponseCodeFailedNoChargeServiceSelected, secc.ClassParameter, "no charge service was selected")
		}
	}
	return &v2.PaymentServiceSelectionRes{ResponseCode: v2.ResponseCodeOK}, waitAuthorization{}
}
