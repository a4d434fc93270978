package station

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	keyMonitor    = "monitor/"
	keyEvent      = "event/" // of those that wait for the CSMS
	firstCustom   = 1000     // ids below are of the station's own monitors
	mostMonitors  = 200
	mostSeverity  = 9
	mostQueued    = 200 // events that wait for the CSMS; the least grave go, of those the oldest
	severityFault = 2   // hardware failure
)

// monitor watches a variable (N04).
type monitor struct {
	ID       int
	Type     v201.MonitorEnum
	Value    float64
	Severity int // 0 is the gravest
	Tx       bool
	Origin   v201.EventNotificationEnum
	Off      bool   // a preconfigured one that was cleared
	Var      string // key of the variable
	Over     bool   // a threshold is exceeded
	Ref      string // value that Delta compares with

	v     *variable
	fresh bool      // not confirmed to the CSMS yet
	next  time.Time // of the periodic ones
}

type monitors struct {
	byID    map[int]*monitor
	queued  []v201.EventData // wait for the CSMS, on disk too
	flying  bool             // the first of queued were sent and not answered
	dropped int              // of queued, since the start
	events  int              // last event id
	faults  map[int]string
	locks   map[int]bool
}

// factory makes the monitors that a station is born with: an EVSE that draws more than its rating.
func (s *Station) factory() map[int]*monitor {
	all := map[int]*monitor{}
	for _, v := range s.model.vars {
		if v.component != "EVSE" || v.name != "Power" || v.hi <= 0 {
			continue
		}
		all[v.evse] = &monitor{ID: v.evse, Type: v201.MonitorUpperThreshold, Value: v.hi * 1.2, Severity: 3, Origin: v201.EventNotificationHardWiredMonitor, v: v, Var: v.key()}
		all[500+v.evse] = &monitor{ID: 500 + v.evse, Type: v201.MonitorUpperThreshold, Value: v.hi * 1.05, Severity: 4, Origin: v201.EventNotificationPreconfiguredMonitor, v: v, Var: v.key()}
	}
	return all
}

// restoreMonitors puts the saved ones over those of the factory (N07.FR.13), and the events back that wait for the CSMS.
func (s *Station) restoreMonitors(saved []monitor, events []v201.EventData) {
	s.mon = monitors{byID: s.factory(), faults: map[int]string{}, locks: map[int]bool{}}
	slices.SortFunc(events, func(a, b v201.EventData) int { return a.EventId - b.EventId })
	s.mon.queued = events
	if n := len(events); n > 0 {
		s.mon.events = events[n-1].EventId
	}
	for _, m := range saved {
		for _, v := range s.model.vars {
			if v.key() == m.Var {
				m.v = v
				m.arm(s.now)
				s.mon.byID[m.ID] = &m
			}
		}
	}
}

func (s *Station) saveMonitor(m *monitor) { s.save(keyMonitor+itoa(m.ID), m) }

func (m *monitor) arm(now time.Time) {
	period := time.Duration(m.Value * float64(time.Second))
	switch m.Type {
	case v201.MonitorPeriodic:
		m.next = now.Add(period)
	case v201.MonitorPeriodicClockAligned: // N08.FR.07
		day := now.UTC().Truncate(24 * time.Hour)
		m.next = day.Add(now.Sub(day).Truncate(period) + period)
	default:
		m.next = time.Time{}
	}
}

func (v *variable) numeric() bool {
	return v.kind == v201.DataInteger || v.kind == v201.DataDecimal
}

func (v *variable) names() (v201.Component, v201.Variable) {
	c := v201.Component{Name: v.component, Instance: v.instance}
	if v.evse > 0 {
		c.Evse = &v201.EVSE{Id: v.evse}
		if v.connector > 0 {
			c.Evse.ConnectorId = &v.connector
		}
	}
	return c, v201.Variable{Name: v.name, Instance: v.varInstance}
}

func setVariableMonitoring(s *Station, q *v201.SetVariableMonitoringRequest) (rpc.Message, error) {
	if err := tooMany("setMonitoringData", len(q.SetMonitoringData), s.items("SetVariableMonitoring")); err != nil { // N04.FR.09
		return nil, err
	}
	res := &v201.SetVariableMonitoringResponse{}
	for i := range q.SetMonitoringData {
		d := &q.SetMonitoringData[i]
		r := v201.SetMonitoringResult{Type: d.Type, Severity: d.Severity, Component: d.Component, Variable: d.Variable, Id: d.Id}
		m, status, why := s.setMonitor(d)
		r.Status = status
		if m != nil {
			r.Id = &m.ID // N04.FR.11
		}
		if why != "" {
			r.StatusInfo = info(why)
		}
		res.SetMonitoringResult = append(res.SetMonitoringResult, r)
	}
	return res, nil
}

func (s *Station) items(message string) int {
	n, _ := strconv.Atoi(s.model.byName["monitoringctrlr.itemspermessage."+strings.ToLower(message)].value)
	return n
}

// setMonitor makes or replaces a monitor; the text says why not.
func (s *Station) setMonitor(d *v201.SetMonitoringData) (*monitor, v201.SetMonitoringStatusEnum, string) {
	v, has := s.model.lookup(&d.Component, &d.Variable)
	if !has { // N04.FR.03
		return nil, v201.SetMonitoringStatusUnknownComponent, ""
	}
	if v == nil { // N04.FR.04
		return nil, v201.SetMonitoringStatusUnknownVariable, ""
	}
	reject := func(why string) (*monitor, v201.SetMonitoringStatusEnum, string) {
		return nil, v201.SetMonitoringStatusRejected, why
	}
	threshold := d.Type == v201.MonitorUpperThreshold || d.Type == v201.MonitorLowerThreshold
	switch { // N04.FR.05
	case threshold && (!v.numeric() || v.access == writeOnly), d.Type == v201.MonitorDelta && v.kind == v201.DataDateTime:
		return nil, v201.SetMonitoringStatusUnsupportedMonitorType, ""
	case d.Severity < 0 || d.Severity > mostSeverity:
		return reject("InvalidValue")
	case threshold && v.hi > v.lo && (d.Value < v.lo || d.Value > v.hi): // N04.FR.06
		return reject("ValueOutOfRange")
	case d.Type == v201.MonitorDelta && d.Value < 0: // N04.FR.14
		return reject("ValuePositiveOnly")
	case !threshold && d.Type != v201.MonitorDelta && (d.Value < 1 || d.Value > 366*86400):
		return reject("ValueOutOfRange")
	}
	m := &monitor{Type: d.Type, Value: d.Value, Severity: d.Severity, Tx: d.Transaction != nil && *d.Transaction, Origin: v201.EventNotificationCustomMonitor, v: v, Var: v.key()}
	if d.Id != nil {
		old := s.mon.byID[*d.Id]
		if old == nil || old.Off { // N04.FR.13
			return reject("UnknownId")
		}
		if old.v != v || old.Origin == v201.EventNotificationHardWiredMonitor { // N04.FR.16, N04.FR.18
			return reject("NotAllowed")
		}
		m.ID = old.ID
		if old.Type == m.Type {
			m.Over = old.Over // N07.FR.11
		}
	}
	for _, o := range s.mon.byID { // N04.FR.10
		if !o.Off && o.v == v && o.Type == m.Type && o.Severity == m.Severity && (d.Id == nil || o.ID != m.ID) {
			return nil, v201.SetMonitoringStatusDuplicate, ""
		}
	}
	if d.Id == nil {
		if len(s.mon.byID) >= mostMonitors {
			return reject("OutOfStorage")
		}
		for m.ID = firstCustom; s.mon.byID[m.ID] != nil; m.ID++ {
		}
	}
	m.Ref, m.fresh = s.current(v), true
	m.arm(s.now)
	s.mon.byID[m.ID] = m
	s.saveMonitor(m)
	s.then(func() { m.fresh = false })
	return m, v201.SetMonitoringStatusAccepted, ""
}

func clearVariableMonitoring(s *Station, q *v201.ClearVariableMonitoringRequest) (rpc.Message, error) {
	if err := tooMany("id", len(q.Id), s.items("ClearVariableMonitoring")); err != nil { // N06.FR.06
		return nil, err
	}
	res := &v201.ClearVariableMonitoringResponse{}
	for _, id := range q.Id {
		r := v201.ClearMonitoringResult{Id: id, Status: v201.ClearMonitoringStatusAccepted}
		switch m := s.mon.byID[id]; {
		case m == nil || m.Off: // N06.FR.02
			r.Status = v201.ClearMonitoringStatusNotFound
		case m.Origin == v201.EventNotificationHardWiredMonitor: // N06.FR.03
			r.Status = v201.ClearMonitoringStatusRejected
		default:
			s.dropMonitor(m)
		}
		res.ClearMonitoringResult = append(res.ClearMonitoringResult, r)
	}
	return res, nil
}

// dropMonitor removes a monitor; the place of a preconfigured one is kept, so that it stays away over a restart.
func (s *Station) dropMonitor(m *monitor) {
	if m.ID >= firstCustom {
		delete(s.mon.byID, m.ID)
		s.saves.put(keyMonitor+itoa(m.ID), nil)
		return
	}
	m.Off, m.Over, m.next = true, false, time.Time{}
	s.saveMonitor(m)
}

func setMonitoringBase(s *Station, q *v201.SetMonitoringBaseRequest) (rpc.Message, error) {
	own := s.factory()
	for _, id := range slices.Sorted(maps.Keys(s.mon.byID)) {
		m := s.mon.byID[id]
		switch {
		case m.Origin == v201.EventNotificationHardWiredMonitor:
		case q.MonitoringBase == v201.MonitoringBaseHardWiredOnly: // N03.FR.05
			s.dropMonitor(m)
		case q.MonitoringBase == v201.MonitoringBaseAll && !m.Off: // N03.FR.03
		case own[id] != nil:
			s.mon.byID[id] = own[id]
			s.saves.put(keyMonitor+itoa(id), nil)
		case q.MonitoringBase == v201.MonitoringBaseFactoryDefault: // N03.FR.04
			s.dropMonitor(m)
		}
	}
	s.keep("MonitoringCtrlr", "ActiveMonitoringBase", string(q.MonitoringBase))
	return &v201.SetMonitoringBaseResponse{Status: v201.GenericDeviceModelStatusAccepted}, nil
}

func setMonitoringLevel(s *Station, q *v201.SetMonitoringLevelRequest) (rpc.Message, error) {
	if q.Severity < 0 || q.Severity > mostSeverity { // N05.FR.02
		return &v201.SetMonitoringLevelResponse{Status: v201.GenericStatusRejected, StatusInfo: info("InvalidValue")}, nil
	}
	s.keep("MonitoringCtrlr", "ActiveMonitoringLevel", itoa(q.Severity))
	return &v201.SetMonitoringLevelResponse{Status: v201.GenericStatusAccepted}, nil
}

// keep changes a variable over restarts.
func (s *Station) keep(component, name, value string) {
	if v := s.model.byName[fullName(component, name)]; v != nil {
		v.value = value
		s.saves.put(keyVar+v.key(), []byte(value))
	}
}

func getMonitoringReport(s *Station, q *v201.GetMonitoringReportRequest) (rpc.Message, error) {
	if err := tooMany("componentVariable", len(q.ComponentVariable), s.model.itemsPer("GetReport")); err != nil { // N02.FR.07
		return nil, err
	}
	var found []v201.MonitoringData
	for _, v := range s.model.vars {
		if !s.wanted(v, &v201.GetReportRequest{ComponentVariable: q.ComponentVariable}) {
			continue
		}
		var list []v201.VariableMonitoring
		for _, id := range slices.Sorted(maps.Keys(s.mon.byID)) {
			m := s.mon.byID[id]
			if m.v == v && !m.Off && m.among(q.MonitoringCriteria) {
				list = append(list, v201.VariableMonitoring{Id: m.ID, Transaction: m.Tx, Value: m.Value, Type: m.Type, Severity: m.Severity})
			}
		}
		if list != nil {
			c, n := v.names()
			found = append(found, v201.MonitoringData{Component: c, Variable: n, VariableMonitoring: list})
		}
	}
	if found == nil { // N02.FR.10
		return &v201.GetMonitoringReportResponse{Status: v201.GenericDeviceModelStatusEmptyResultSet}, nil
	}
	s.then(func() {
		const most = 20
		seq := 0
		for part := range slices.Chunk(found, most) { // N02.FR.03, N02.FR.09
			s.call(&v201.NotifyMonitoringReportRequest{Monitor: part, RequestId: q.RequestId, Tbc: new((seq+1)*most < len(found)), SeqNo: seq, GeneratedAt: s.now}, nil)
			seq++
		}
	})
	return &v201.GetMonitoringReportResponse{Status: v201.GenericDeviceModelStatusAccepted}, nil
}

// among says whether the criteria ask for the monitor (N02.FR.12 to FR.14).
func (m *monitor) among(criteria []v201.MonitoringCriterionEnum) bool {
	of := v201.MonitoringCriterionThresholdMonitoring
	switch m.Type {
	case v201.MonitorDelta:
		of = v201.MonitoringCriterionDeltaMonitoring
	case v201.MonitorPeriodic, v201.MonitorPeriodicClockAligned:
		of = v201.MonitoringCriterionPeriodicMonitoring
	}
	return len(criteria) == 0 || slices.Contains(criteria, of)
}

// observe compares every monitored variable with what it was, and tells the CSMS (N07, N08).
func (s *Station) observe() {
	var events []v201.EventData
	for _, e := range s.evses {
		if e.faulted != s.mon.faults[e.n] {
			events = s.alert(events, severityFault, s.problem(e))
			s.mon.faults[e.n] = e.faulted
		}
		if e.lockBad != s.mon.locks[e.n] {
			events = s.alert(events, severityFault, s.lockProblem(e))
			s.mon.locks[e.n] = e.lockBad
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.mon.byID)) {
		m := s.mon.byID[id]
		if m.Off || m.fresh || !s.known(m.v) || m.Tx && !s.busyAt(m.v.evse) {
			continue
		}
		if d, hit := s.check(m); hit {
			events = s.alert(events, m.Severity, d)
		}
	}
	s.sendEvents(events)
}

func (s *Station) busyAt(n int) bool {
	return slices.ContainsFunc(s.evses, func(e *evse) bool { return e.tx != nil && (n == 0 || n == e.n) })
}

// known is false for what no reading has told since the start.
func (s *Station) known(v *variable) bool {
	e := s.evse(v.evse)
	return v.component != "EVSE" || v.name != "Power" || e == nil || e.hasLast
}

// problem is the event of a fault that began or went: told whatever is monitored.
func (s *Station) problem(e *evse) v201.EventData {
	d := v201.EventData{Trigger: v201.EventTriggerAlerting, ActualValue: strconv.FormatBool(e.faulted != ""), EventNotificationType: v201.EventNotificationHardWiredNotification,
		Component: v201.Component{Name: "EVSE", Evse: &v201.EVSE{Id: e.n}}, Variable: v201.Variable{Name: "Problem"}}
	if e.faulted == "" {
		d.Cleared = new(true)
	} else {
		d.TechCode = strings.ToValidUTF8(e.faulted[:min(len(e.faulted), 50)], "")
	}
	return d
}

// check tells whether a monitor is hit now.
func (s *Station) check(m *monitor) (v201.EventData, bool) {
	now := s.current(m.v)
	c, name := m.v.names()
	d := v201.EventData{ActualValue: now, Component: c, Variable: name, VariableMonitoringId: &m.ID, EventNotificationType: m.Origin}
	if e := s.evse(m.v.evse); e != nil && e.tx != nil {
		d.TransactionId = e.tx.ID
	}
	if m.v.access == writeOnly { // N07.FR.10
		d.ActualValue = ""
	}
	switch m.Type {
	case v201.MonitorDelta:
		if now == m.Ref {
			return d, false
		}
		if m.v.numeric() { // N07.FR.18
			a, _ := strconv.ParseFloat(m.Ref, 64)
			b, _ := strconv.ParseFloat(now, 64)
			if math.Abs(a-b) <= m.Value {
				return d, false
			}
		}
		m.Ref = now
		s.saveMonitor(m) // N07.FR.18, N07.FR.19: compared with what was told last, over a restart too
		d.Trigger = v201.EventTriggerDelta
		return d, true
	case v201.MonitorUpperThreshold, v201.MonitorLowerThreshold:
		x, err := strconv.ParseFloat(now, 64)
		over := err == nil && (m.Type == v201.MonitorUpperThreshold && x > m.Value || m.Type == v201.MonitorLowerThreshold && x < m.Value)
		if over == m.Over {
			return d, false
		}
		m.Over = over
		s.saveMonitor(m) // N07.FR.14: so that it can be cleared after a restart
		d.Trigger = v201.EventTriggerAlerting
		if !over { // N07.FR.02
			d.Cleared = new(true)
		}
		return d, true
	}
	if m.next.IsZero() || s.now.Before(m.next) {
		return d, false
	}
	m.arm(s.now)
	d.Trigger = v201.EventTriggerPeriodic
	return d, true
}

// alert adds an event if it is to be told now, and queues it when offline (N05.FR.03, N07.FR.04, N07.FR.15).
func (s *Station) alert(list []v201.EventData, severity int, d v201.EventData) []v201.EventData {
	if severity > s.model.number("MonitoringCtrlr", "ActiveMonitoringLevel") || !s.model.flag("MonitoringCtrlr", "Enabled") {
		return list
	}
	s.mon.events++
	d.EventId, d.Timestamp = s.mon.events, s.now
	switch {
	case s.Accepted() && len(s.mon.queued) == 0:
		return append(list, d)
	case s.Accepted() || severity <= s.model.number("MonitoringCtrlr", "OfflineQueuingSeverity"): // in order behind those that wait
		s.holdEvent(d)
	}
	return list
}

// holdEvent keeps an event for the CSMS over a restart; when too many wait, the least grave goes, of several the oldest.
func (s *Station) holdEvent(d v201.EventData) {
	m := &s.mon
	m.queued = append(m.queued, d)
	s.save(eventKey(d.EventId), d)
	if len(m.queued) <= mostQueued {
		return
	}
	least, at := -1, 0
	for i := range m.queued {
		if n := s.gravity(&m.queued[i]); n > least {
			least, at = n, i
		}
	}
	s.saves.put(eventKey(m.queued[at].EventId), nil)
	m.queued = slices.Delete(m.queued, at, at+1)
	if m.dropped++; m.dropped == 1 || m.dropped%100 == 0 {
		s.note(true, "the CSMS does not hear of an event of severity %d: more than %d wait (%d left out)", least, mostQueued, m.dropped)
	}
}

// gravity is the severity of an event: 0 is the gravest. Of a monitor that was cleared meanwhile nobody waits for events.
func (s *Station) gravity(d *v201.EventData) int {
	if d.VariableMonitoringId == nil {
		return severityFault
	}
	if m := s.mon.byID[*d.VariableMonitoringId]; m != nil && !m.Off {
		return m.Severity
	}
	return mostSeverity
}

func eventKey(id int) string { return fmt.Sprintf("%s%016x", keyEvent, id) }

const eventsPerCall = 20

// sendEvents sends events, and those that waited part by part: each is forgotten when the CSMS has answered (N07.FR.04, N08.FR.03).
func (s *Station) sendEvents(events []v201.EventData) {
	if !s.Accepted() {
		return
	}
	notify := func(part []v201.EventData, done func(rpc.Message, string)) { // each is a report of its own (N07.FR.07)
		s.call(&v201.NotifyEventRequest{GeneratedAt: s.now, Tbc: new(false), EventData: part}, done)
	}
	for part := range slices.Chunk(events, eventsPerCall) {
		notify(part, nil)
	}
	m := &s.mon
	if m.flying || len(m.queued) == 0 {
		return
	}
	m.flying = true
	part := slices.Clone(m.queued[:min(len(m.queued), eventsPerCall)])
	notify(part, func(res rpc.Message, why string) {
		switch {
		case res == nil && (why == rpc.TimedOut.String() || why == rpc.Cut.String() || why == rpc.NotSent.String()):
			return // the connection goes down, and they are sent again on the next one
		case res == nil && why == rpc.QueueFull.String():
			m.flying = false
			return
		}
		m.flying = false
		last := part[len(part)-1].EventId
		for len(m.queued) > 0 && m.queued[0].EventId <= last {
			s.saves.put(eventKey(m.queued[0].EventId), nil)
			m.queued = m.queued[1:]
		}
	})
}

func (m *monitors) due() (at time.Time) {
	for _, x := range m.byID {
		if !x.next.IsZero() && (at.IsZero() || x.next.Before(at)) {
			at = x.next
		}
	}
	return at
}
