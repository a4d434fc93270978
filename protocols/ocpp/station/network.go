package station

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

const (
	keyNetwork       = "network/" // and the slot
	keyNetworkOrigin = "network/origin"
	keyNetworkLast   = "network/last"
	networkSlots     = 4 // B09.FR.06 demands two
)

// Network is a way to a CSMS.
type Network struct {
	URL      string        // before the identity, ws:// or wss://
	Security int           // security profile, 1 to 3 (A00)
	Timeout  time.Duration `json:",omitempty"` // of calls; 0 for the station's default
}

// Dial says how to connect from the next attempt on. Each attempt is answered by Connected or DialFailed with the same ID; it is tried
// again as Retry says.
type Dial struct {
	ID   uint64
	Slot int
	Network
	// Newest says that only the newest CSMS root counts, not the one before that is kept as fallback (M05.FR.15).
	Newest bool
}

// DialFailed says that an attempt to connect failed. Event is what it is in the standard's list of security events, "" for none
// of them.
type DialFailed struct {
	ID          uint64
	Event, Info string
}

// Retry says how long to wait before an attempt to connect (part 4, 5.3): Minimum before the first one, twice as long after each that
// fails, Times times, and then as long again and again; each time something between nothing and Range more. A connection that was
// made begins it anew.
type Retry struct {
	Times          int
	Minimum, Range time.Duration
}

func (Dial) effect()      {}
func (Retry) effect()     {}
func (DialFailed) event() {}

// slotted is a network connection profile in its slot.
type slotted struct {
	Slot int
	Network
}

// network is where the station connects to.
type network struct {
	slots map[int]Network
	order []int   // of the slots, since the start
	last  slotted // used last with success, whatever its slot has now; Slot 0 for none
	round []slotted
	at    int // in round
	tries int
	id    uint64 // of the last Dial
	said  Dial
}

// restoreNetwork puts the slots back. Where the station is configured locally to connect counts anew when it has changed: that
// alone may lower the security profile (A00.FR.005).
func (s *Station) restoreNetwork(saved map[string][]byte) error {
	n := &s.net
	n.slots = map[int]Network{}
	if s.cfg.Network == nil {
		return nil
	}
	origin, err := json.Marshal(s.cfg.Network)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	security, priority := s.model.byName[fullName("SecurityCtrlr", "SecurityProfile")], s.model.byName[fullName("OCPPCommCtrlr", "NetworkConfigurationPriority")]
	if string(saved[keyNetworkOrigin]) != string(origin) {
		for key := range saved {
			if strings.HasPrefix(key, keyNetwork) {
				s.saves.put(key, nil)
			}
		}
		s.saves.put(keyNetworkOrigin, origin)
		n.slots[1] = *s.cfg.Network
		s.save(keyNetwork+"1", n.slots[1])
		security.value, priority.value = itoa(max(s.cfg.Network.Security, 1)), "1"
		s.saves.put(keyVar+security.key(), []byte(security.value))
		s.saves.put(keyVar+priority.key(), []byte(priority.value))
	} else {
		for key, value := range saved {
			rest, ok := strings.CutPrefix(key, keyNetwork)
			if !ok || key == keyNetworkOrigin {
				continue
			}
			if key == keyNetworkLast {
				err = json.Unmarshal(value, &n.last)
			} else {
				var w Network
				slot, e := strconv.Atoi(rest)
				if err = e; err == nil {
					err = json.Unmarshal(value, &w)
				}
				n.slots[slot] = w
			}
			if err != nil {
				return fmt.Errorf("stored record %q: %w", key, err)
			}
		}
	}
	n.order = slots(priority.value)
	n.begin(false)
	return nil
}

// slots reads a value of NetworkConfigurationPriority.
func slots(value string) []int {
	var out []int
	for _, x := range strings.Split(value, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(x)); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// begin lists whom to try: after a start the slots by priority and at last where it worked before (B10.FR.04, B10.FR.07);
// after a connection that was lost, there first.
func (n *network) begin(lost bool) {
	n.round, n.at, n.tries = nil, 0, 0
	add := func(w slotted) {
		if w.Slot > 0 && !slices.Contains(n.round, w) {
			n.round = append(n.round, w)
		}
	}
	if lost {
		add(n.last)
	}
	for _, slot := range n.order {
		if w, ok := n.slots[slot]; ok {
			add(slotted{slot, w})
		}
	}
	add(n.last)
}

// retry tells how long to wait between attempts.
func (s *Station) retry() {
	s.emit(Retry{Times: s.model.number("OCPPCommCtrlr", "RetryBackOffRepeatTimes"), Minimum: s.model.seconds("OCPPCommCtrlr", "RetryBackOffWaitMinimum"),
		Range: s.model.seconds("OCPPCommCtrlr", "RetryBackOffRandomRange")})
}

// dial tells whom to try next, when that has changed.
func (s *Station) dial() {
	n := &s.net
	if len(n.round) == 0 {
		return
	}
	w := n.round[n.at]
	d := Dial{Slot: w.Slot, Network: w.Network, Newest: n.last.Slot > 0 && w != n.last && s.model.flag("SecurityCtrlr", "AdditionalRootCertificateCheck")}
	if d.ID = n.id; d == n.said {
		return
	}
	if n.id == 0 { // what an earlier machine began must not be taken for ours
		n.id = uint64(s.now.UnixNano())
	}
	n.id++
	d.ID, n.said = n.id, d
	n.said.ID = n.id
	s.emit(d)
}

// dialFailed counts the attempt; after NetworkProfileConnectionAttempts of them the next one of the list is tried (B10.FR.03).
func (s *Station) dialFailed(ev DialFailed) {
	if ev.Event != "" {
		s.securityEvent(ev.Event, ev.Info)
	}
	if ev.Event == "FailedToAuthenticateAtCsms" {
		s.passwordRefused()
	}
	n := &s.net
	if len(n.round) == 0 || ev.ID != 0 && ev.ID != n.id {
		return
	}
	n.tries++
	if n.tries < max(s.model.number("OCPPCommCtrlr", "NetworkProfileConnectionAttempts"), 1) {
		return
	}
	n.tries = 0
	n.at = (n.at + 1) % len(n.round)
	if len(n.round) > 1 {
		s.note(false, "connecting with network profile %d has failed too often; next is network profile %d", n.said.Slot, n.round[n.at].Slot)
	}
	s.dial()
}

// reached notes that the connection was made: the way that works, its security profile from now on (A05.FR.06), and the root
// that counts (M05.FR.13). A connection that was made for an older Dial is given up.
func (s *Station) reached(ev Connected) bool {
	n := &s.net
	if ev.ID != 0 && ev.ID != n.id {
		s.emit(Hangup{"the connection is not the one that is wanted"})
		return false
	}
	s.reachable()
	s.passwordProven()
	s.proven(ev.Root)
	if len(n.round) == 0 {
		return true
	}
	w := n.round[n.at]
	if n.last.Slot > 0 && n.last.URL != w.URL { // another CSMS does not know the station yet
		s.boot.status, s.boot.not = "", time.Time{}
	}
	if w != n.last {
		n.last = w
		s.save(keyNetworkLast, n.last)
	}
	n.tries = 0
	s.model.set("OCPPCommCtrlr", "ActiveNetworkProfile", itoa(w.Slot))
	if secs := int(w.Timeout / time.Second); secs > 0 {
		s.model.set("OCPPCommCtrlr", "MessageTimeout", itoa(secs))
	}
	if w.Security > s.model.number("SecurityCtrlr", "SecurityProfile") {
		s.raised(w.Security)
	}
	return true
}

// raised makes a higher security profile the least (A05.FR.06).
func (s *Station) raised(security int) {
	n := &s.net
	v := s.model.byName[fullName("SecurityCtrlr", "SecurityProfile")]
	v.value = itoa(security)
	s.saves.put(keyVar+v.key(), []byte(v.value))
	for slot, w := range n.slots {
		if w.Security < security {
			delete(n.slots, slot)
			s.saves.put(keyNetwork+itoa(slot), nil)
		}
	}
	p := s.model.byName[fullName("OCPPCommCtrlr", "NetworkConfigurationPriority")]
	var left []string
	for _, slot := range slots(p.value) {
		if _, ok := n.slots[slot]; ok {
			left = append(left, itoa(slot))
		}
	}
	p.value = strings.Join(left, ",")
	s.saves.put(keyVar+p.key(), []byte(p.value))
	n.order = slices.DeleteFunc(n.order, func(slot int) bool { _, ok := n.slots[slot]; return !ok })
	s.securityEvent("ReconfigurationOfSecurityParameters", "security profile "+v.value)
}

func setNetworkProfile(s *Station, q *v201.SetNetworkProfileRequest) (rpc.Message, error) {
	refuse := func(code, why string) (rpc.Message, error) {
		i := info(code)
		i.AdditionalInfo = why
		return &v201.SetNetworkProfileResponse{Status: v201.SetNetworkProfileStatusRejected, StatusInfo: i}, nil
	}
	c := &q.ConnectionData
	secure, good := csmsURL(c.OcppCsmsUrl)
	switch {
	case s.cfg.Network == nil:
		return refuse("NotEnabled", "the connection is managed locally")
	case q.ConfigurationSlot < 1 || q.ConfigurationSlot > networkSlots: // B09.FR.05
		return refuse("InvalidValue", "no such slot")
	case c.SecurityProfile < 1 || c.SecurityProfile > 3:
		return refuse("InvalidValue", "no such security profile")
	case c.SecurityProfile < s.model.number("SecurityCtrlr", "SecurityProfile"): // B09.FR.04
		return refuse("InvalidValue", "the security profile is lower than the one in use")
	case !good: // B09.FR.02
		return refuse("InvalidURL", "")
	case secure != (c.SecurityProfile > 1):
		return refuse("InvalidURL", "the scheme does not fit the security profile")
	case c.OcppTransport != v201.OCPPTransportJSON || c.OcppVersion != v201.OCPPVersionOCPP20:
		return refuse("UnsupportedParam", "version or transport")
	case c.Vpn != nil: // without it the connection would be open where it is meant to be closed
		return refuse("UnsupportedParam", "no VPN")
	case c.MessageTimeout < 1 || c.MessageTimeout > 3600:
		return refuse("ValueOutOfRange", "messageTimeout")
	}
	w := Network{URL: c.OcppCsmsUrl, Security: c.SecurityProfile, Timeout: time.Duration(c.MessageTimeout) * time.Second}
	old, had := s.net.slots[q.ConfigurationSlot]
	s.net.slots[q.ConfigurationSlot] = w
	s.save(keyNetwork+itoa(q.ConfigurationSlot), w)
	s.otherwise(func() rpc.Message { // B09.FR.03
		if had {
			s.net.slots[q.ConfigurationSlot] = old
			s.save(keyNetwork+itoa(q.ConfigurationSlot), old)
		} else {
			delete(s.net.slots, q.ConfigurationSlot)
			s.saves.put(keyNetwork+itoa(q.ConfigurationSlot), nil)
		}
		return &v201.SetNetworkProfileResponse{Status: v201.SetNetworkProfileStatusFailed, StatusInfo: info("OutOfStorage")}
	})
	s.securityEvent("ReconfigurationOfSecurityParameters", fmt.Sprintf("network profile %d, security profile %d", q.ConfigurationSlot, c.SecurityProfile))
	return &v201.SetNetworkProfileResponse{Status: v201.SetNetworkProfileStatusAccepted}, nil
}

// csmsURL tells whether an address is one of a CSMS: ws:// or wss://, a host, perhaps a port, a path of plain characters.
func csmsURL(text string) (secure, good bool) {
	scheme, rest, _ := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	host, path, _ := strings.Cut(rest, "/")
	const name = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if ip, port, ok := strings.Cut(host, "]"); ok { // an IPv6 address
		a, err := netip.ParseAddr(strings.TrimPrefix(ip, "["))
		good = err == nil && a.Is6() && a.Zone() == "" && ip[0] == '[' && (port == "" || port[0] == ':' && validPort(port[1:]))
	} else {
		h, port, ok := strings.Cut(host, ":")
		good = strings.Trim(h, name) == "" && h != "" && (!ok || validPort(port))
	}
	return scheme == "wss", good && (scheme == "ws" || scheme == "wss") && strings.Trim(path, name+"/~!$&'()*+,;=:") == ""
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// checkPriority says why a new value of NetworkConfigurationPriority is refused: a slot that is empty (B10.FR.02), a lower
// security profile, or one that needs a certificate that is not there (A05.FR.02, A05.FR.03). It counts after a reset.
func (s *Station) checkPriority(value string) string {
	if s.cfg.Network == nil {
		return ""
	}
	list := slots(value)
	if len(list) == 0 || len(list) != len(strings.Split(value, ",")) {
		return "InvalidValue"
	}
	now := s.model.number("SecurityCtrlr", "SecurityProfile")
	for i, slot := range list {
		w, ok := s.net.slots[slot]
		switch {
		case !ok || slices.Contains(list[:i], slot) || w.Security < now:
			return "InvalidValue"
		case w.Security > now && w.Security >= 2 && !s.valid(v201.GetCertificateIdUseCSMSRootCertificate):
			return "MissingDevModelInfo"
		case w.Security > now && w.Security == 3 && !s.cfg.Certified && !s.valid(useStation):
			return "MissingDevModelInfo"
		}
	}
	return ""
}

// valid reports whether there is a certificate of a use that has not expired.
func (s *Station) valid(use v201.GetCertificateIdUseEnum) bool {
	return slices.ContainsFunc(s.of(use), func(c *installed) bool {
		chain, err := parseChain(c.PEM)
		return err == nil && !s.now.After(chain[0].NotAfter)
	})
}
