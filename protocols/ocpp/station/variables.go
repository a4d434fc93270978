package station

import (
	"slices"
	"strconv"
	"strings"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/txqueue"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// current returns the value of a variable as reports and GetVariables show it.
func (s *Station) current(v *variable) string {
	switch fullName(v.component, v.name) {
	case "clockctrlr.datetime":
		return s.now.UTC().Format("2006-01-02T15:04:05Z")
	case "localauthlistctrlr.entries":
		return itoa(len(s.list.Entries))
	case "smartchargingctrlr.entries":
		return itoa(len(s.store.All()))
	case "chargingstation.availabilitystate":
		return string(s.state())
	case "evse.availabilitystate", "connector.availabilitystate":
		if e := s.evse(v.evse); e != nil {
			return string(e.status())
		}
	case "evse.problem":
		if e := s.evse(v.evse); e != nil {
			return strconv.FormatBool(e.faulted != "")
		}
	case "connectorplugretentionlock.problem":
		if e := s.evse(v.evse); e != nil {
			return strconv.FormatBool(e.lockBad)
		}
	case "displaymessagectrlr.displaymessages":
		return itoa(len(s.disp.byID))
	case "evse.power":
		if e := s.evse(v.evse); e != nil && e.hasLast {
			return strconv.FormatFloat(round(float64(e.last.Power), 10), 'f', -1, 64)
		}
	}
	return v.value
}

// state is that of the whole station: what the best of its EVSEs can do.
func (s *Station) state() v201.ConnectorStatusEnum {
	for _, st := range []v201.ConnectorStatusEnum{v201.ConnectorStatusAvailable, v201.ConnectorStatusOccupied, v201.ConnectorStatusReserved,
		v201.ConnectorStatusUnavailable, v201.ConnectorStatusFaulted} {
		if slices.ContainsFunc(s.evses, func(e *evse) bool { return e.status() == st }) {
			return st
		}
	}
	return v201.ConnectorStatusAvailable // of a controller, which has none
}

func tooMany(name string, n, limit int) error {
	if n > limit {
		return &rpc.Error{Code: rpc.OccurrenceConstraintViolation, Path: name, What: "more than " + itoa(limit) + " elements"}
	}
	return nil
}

func getVariables(s *Station, q *v201.GetVariablesRequest) (rpc.Message, error) {
	if err := tooMany("getVariableData", len(q.GetVariableData), s.model.itemsPer("GetVariables")); err != nil { // B06.FR.16
		return nil, err
	}
	res := &v201.GetVariablesResponse{}
	for _, d := range q.GetVariableData {
		r := v201.GetVariableResult{AttributeType: d.AttributeType, Component: d.Component, Variable: d.Variable}
		if r.AttributeType == "" {
			r.AttributeType = v201.AttributeActual
		}
		v, has := s.model.lookup(&d.Component, &d.Variable)
		switch {
		case !has:
			r.AttributeStatus = v201.GetVariableStatusUnknownComponent
		case v == nil:
			r.AttributeStatus = v201.GetVariableStatusUnknownVariable
		case r.AttributeType != v201.AttributeActual:
			r.AttributeStatus = v201.GetVariableStatusNotSupportedAttributeType
		case v.access == writeOnly: // B06.FR.09
			r.AttributeStatus = v201.GetVariableStatusRejected
			r.AttributeStatusInfo = info("WriteOnly")
		default:
			r.AttributeStatus, r.AttributeValue = v201.GetVariableStatusAccepted, s.current(v)
		}
		res.GetVariableResult = append(res.GetVariableResult, r)
	}
	return res, nil
}

func (m *model) itemsPer(message string) int {
	n := 50
	if v := m.byName["devicedatactrlr.itemspermessage."+strings.ToLower(message)]; v != nil {
		n, _ = strconv.Atoi(v.value)
	}
	return n
}

func setVariables(s *Station, q *v201.SetVariablesRequest) (rpc.Message, error) {
	if err := tooMany("setVariableData", len(q.SetVariableData), s.model.itemsPer("SetVariables")); err != nil { // B05.FR.11
		return nil, err
	}
	res := &v201.SetVariablesResponse{}
	var undo []func()
	for _, d := range q.SetVariableData {
		r := v201.SetVariableResult{AttributeType: d.AttributeType, Component: d.Component, Variable: d.Variable}
		if r.AttributeType == "" {
			r.AttributeType = v201.AttributeActual
		}
		v, has := s.model.lookup(&d.Component, &d.Variable)
		switch {
		case !has: // B05.FR.04
			r.AttributeStatus = v201.SetVariableStatusUnknownComponent
		case v == nil: // B05.FR.05
			r.AttributeStatus = v201.SetVariableStatusUnknownVariable
		case r.AttributeType != v201.AttributeActual: // B05.FR.06
			r.AttributeStatus = v201.SetVariableStatusNotSupportedAttributeType
		case v.access == readOnly: // B05.FR.07
			r.AttributeStatus, r.AttributeStatusInfo = v201.SetVariableStatusRejected, info("ReadOnly")
		default:
			why := v.accepts(d.AttributeValue)
			if why == "" && v.name == "NetworkConfigurationPriority" {
				why = s.checkPriority(d.AttributeValue)
			}
			if why == "" && v.name == "BasicAuthPassword" && !passwordString(d.AttributeValue) {
				why = "InvalidValue"
			}
			if why != "" {
				r.AttributeStatus, r.AttributeStatusInfo = v201.SetVariableStatusRejected, info(why)
				break
			}
			r.AttributeStatus = v201.SetVariableStatusAccepted // B05.FR.02
			if v.reboot {
				r.AttributeStatus = v201.SetVariableStatusRebootRequired
			}
			undo = append(undo, s.setVariable(v, d.AttributeValue))
			s.then(func() { s.applied(v) })
		}
		res.SetVariableResult = append(res.SetVariableResult, r)
	}
	s.otherwise(func() rpc.Message { // B05.FR.09: what was is in force, as the CSMS will take it to be (A01.FR.04)
		for _, f := range slices.Backward(undo) {
			f()
		}
		for i := range res.SetVariableResult {
			if r := &res.SetVariableResult[i]; r.AttributeStatus == v201.SetVariableStatusAccepted || r.AttributeStatus == v201.SetVariableStatusRebootRequired {
				r.AttributeStatus, r.AttributeStatusInfo = v201.SetVariableStatusRejected, info("OutOfStorage")
			}
		}
		return res
	})
	return res, nil
}

// setVariable sets and stores a value; undo puts back what was.
func (s *Station) setVariable(v *variable, value string) (undo func()) {
	was, again := v.value, func() {}
	if v.name == "BasicAuthPassword" {
		again = s.passwordSet(was)
	}
	v.value = value
	s.saves.put(keyVar+v.key(), []byte(value))
	return func() {
		v.value = was
		s.saves.put(keyVar+v.key(), []byte(was))
		again()
	}
}

// applied makes a new value take effect at once.
func (s *Station) applied(v *variable) {
	switch fullName(v.component, v.name) {
	case "ocppcommctrlr.heartbeatinterval":
		s.armHeartbeat()
	case "ocppcommctrlr.messageattempts", "ocppcommctrlr.messageattemptinterval": // E13
		s.stepQueue(txqueue.Configure{Attempts: s.model.number("OCPPCommCtrlr", "MessageAttempts"), Interval: s.model.seconds("OCPPCommCtrlr", "MessageAttemptInterval")})
	case "ocppcommctrlr.retrybackoffrepeattimes", "ocppcommctrlr.retrybackoffrandomrange", "ocppcommctrlr.retrybackoffwaitminimum":
		s.retry()
	case "securityctrlr.basicauthpassword": // A01: the connection is made anew with it
		s.securityEvent("ReconfigurationOfSecurityParameters", "BasicAuthPassword") // A01.FR.11, without what it is (A01.FR.12)
		s.emit(Password{v.value})
	case "iso15118ctrlr.pncenabled", "iso15118ctrlr.contractcertificateinstallationenabled", "iso15118ctrlr.centralcontractvalidationallowed":
		s.plugAndCharge()
	case "aligneddatactrlr.interval", "aligneddatactrlr.enabled":
		s.armAligned()
		s.rearmKept()
	case "sampleddatactrlr.txendedinterval", "aligneddatactrlr.txendedinterval", "sampleddatactrlr.enabled":
		s.rearmKept()
	case "sampleddatactrlr.txupdatedinterval":
		for _, e := range s.evses {
			if e.tx != nil {
				e.tx.sampleAt = s.nextSample()
			}
		}
	}
}

func (s *Station) report(v *variable) v201.ReportData {
	d := v201.ReportData{Component: v201.Component{Name: v.component, Instance: v.instance}, Variable: v201.Variable{Name: v.name, Instance: v.varInstance}}
	if v.evse > 0 {
		d.Component.Evse = &v201.EVSE{Id: v.evse}
		if v.connector > 0 {
			d.Component.Evse.ConnectorId = &v.connector
		}
	}
	a := v201.VariableAttribute{Type: v201.AttributeActual, Persistent: new(true), Constant: new(false), Value: s.current(v)}
	switch v.access {
	case readWrite:
		a.Mutability = v201.MutabilityReadWrite
	case writeOnly:
		a.Mutability, a.Value = v201.MutabilityWriteOnly, ""
	default:
		a.Mutability = v201.MutabilityReadOnly
	}
	d.VariableAttribute = []v201.VariableAttribute{a}
	c := &v201.VariableCharacteristics{DataType: v.kind, Unit: v.unit, ValuesList: strings.Join(v.list, ","), SupportsMonitoring: true}
	if v.hi > v.lo {
		c.MinLimit, c.MaxLimit = &v.lo, &v.hi
	}
	d.VariableCharacteristics = c
	return d
}

// sendReport sends the chosen variables in as many NotifyReport as it takes (B07.FR.08, B07.FR.09).
func (s *Station) sendReport(id int, vars []*variable) {
	n, at := s.model.itemsPer("GetReport"), s.now
	for seq := 0; seq*n < max(len(vars), 1); seq++ {
		part := vars[min(seq*n, len(vars)):min((seq+1)*n, len(vars))]
		req := &v201.NotifyReportRequest{RequestId: id, GeneratedAt: at, SeqNo: seq, Tbc: new((seq+1)*n < len(vars))}
		for _, v := range part {
			req.ReportData = append(req.ReportData, s.report(v))
		}
		s.callAsked(req, nil)
	}
}

func getBaseReport(s *Station, q *v201.GetBaseReportRequest) (rpc.Message, error) {
	var vars []*variable
	for _, v := range s.model.vars {
		switch q.ReportBase {
		case v201.ReportBaseConfigurationInventory: // B07.FR.07: what can be set
			if v.access == readOnly {
				continue
			}
		case v201.ReportBaseSummaryInventory: // B07.FR.10: state and problems
			if n := v.name; n != "AvailabilityState" && n != "Available" && n != "Problem" && n != "Enabled" {
				continue
			}
		}
		vars = append(vars, v)
	}
	s.then(func() { s.sendReport(q.RequestId, vars) })
	return &v201.GetBaseReportResponse{Status: v201.GenericDeviceModelStatusAccepted}, nil
}

func getReport(s *Station, q *v201.GetReportRequest) (rpc.Message, error) {
	if err := tooMany("componentVariable", len(q.ComponentVariable), s.model.itemsPer("GetReport")); err != nil { // B08.FR.17
		return nil, err
	}
	var vars []*variable
	for _, v := range s.model.vars {
		if s.wanted(v, q) {
			vars = append(vars, v)
		}
	}
	if vars == nil { // B08.FR.15
		return &v201.GetReportResponse{Status: v201.GenericDeviceModelStatusEmptyResultSet}, nil
	}
	s.then(func() { s.sendReport(q.RequestId, vars) })
	return &v201.GetReportResponse{Status: v201.GenericDeviceModelStatusAccepted}, nil
}

func (s *Station) wanted(v *variable, q *v201.GetReportRequest) bool {
	if len(q.ComponentVariable) > 0 && !slices.ContainsFunc(q.ComponentVariable, func(c v201.ComponentVariable) bool {
		return strings.EqualFold(c.Component.Name, v.component) &&
			(c.Component.Instance == "" || strings.EqualFold(c.Component.Instance, v.instance)) &&
			(c.Component.Evse == nil || c.Component.Evse.Id == v.evse && (c.Component.Evse.ConnectorId == nil || *c.Component.Evse.ConnectorId == v.connector)) &&
			(c.Variable == nil || strings.EqualFold(c.Variable.Name, v.name) && (c.Variable.Instance == "" || strings.EqualFold(c.Variable.Instance, v.varInstance)))
	}) {
		return false
	}
	if len(q.ComponentCriteria) == 0 {
		return true
	}
	for _, c := range q.ComponentCriteria { // B08.FR.07 to FR.10: an absent variable counts as true, Problem as false
		value, has := "", false
		for _, o := range s.model.vars {
			if o.component == v.component && o.instance == v.instance && o.evse == v.evse && o.connector == v.connector && o.name == string(c) {
				value, has = s.current(o), true
			}
		}
		switch c {
		case v201.ComponentCriterionActive, v201.ComponentCriterionAvailable, v201.ComponentCriterionEnabled:
			if !has || value == "true" {
				return true
			}
		default:
			if has && value == "true" {
				return true
			}
		}
	}
	return false
}
