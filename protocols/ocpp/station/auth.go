package station

import (
	"slices"
	"strings"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// cached is an entry of the authorisation cache (C10): never more than what a decision needs.
type cached struct {
	Status    v201.AuthorizationStatusEnum
	Group     string
	Expires   time.Time
	Languages [2]string `json:",omitzero"`
	EVSEs     []int     `json:",omitempty"` // where it may charge; none: everywhere (C01.FR.21)
}

// sameGroup compares two group tokens, which are case-insensitive as all identifiers are; no group is the same as none.
func sameGroup(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

func groupOf(i v201.IdTokenInfo) string {
	if i.GroupIdToken == nil {
		return ""
	}
	return i.GroupIdToken.IdToken
}

// starts tells whether a token with this information may begin to charge at an EVSE: it is accepted, there too (C01.FR.21), and no
// master pass (C16.FR.03).
func (s *Station) starts(e *evse, i v201.IdTokenInfo) bool {
	return i.Status == v201.AuthorizationStatusAccepted && (len(i.EvseId) == 0 || slices.Contains(i.EvseId, e.n)) && !s.master(groupOf(i))
}

func (s *Station) master(group string) bool {
	return sameGroup(group, s.model.value("AuthCtrlr", "MasterPassGroupId"))
}

func (e *evse) same(t v201.IdToken) bool {
	return e.token != nil && t.Type == e.token.Type && strings.EqualFold(e.token.IdToken, t.IdToken) // C01.FR.20: case-insensitive
}

// presented handles a token at an EVSE: the begin or, while a transaction runs, the end.
func (s *Station) presented(e *evse, t v201.IdToken) {
	if t.Type == "" || !s.model.flag("AuthCtrlr", "Enabled") {
		t = v201.IdToken{Type: v201.IdTokenNoAuthorization}
	}
	if e.keeps != nil && !e.auth {
		s.shownToHeld(e, t, func() { s.ask(e, t) })
		return
	}
	if e.auth {
		if t.Type == v201.IdTokenNoAuthorization {
			s.emit(Permit{EVSE: e.n, Allowed: true, Token: deref(e.token)})
			return
		}
		if e.same(t) { // E08.FR.01, E07
			s.stopLocal(e, t, v201.ReasonLocal)
			return
		}
		if i, known := s.locally(t); known && i.Status == v201.AuthorizationStatusAccepted && sameGroup(groupOf(i), e.group) { // C01.FR.03, C09.FR.07
			s.stopLocal(e, t, v201.ReasonLocal)
			return
		}
		if m := s.model.value("AuthCtrlr", "MasterPassGroupId"); m == "" && e.group == "" {
			s.emit(Permit{EVSE: e.n, Allowed: true, Token: deref(e.token)})
			return
		}
		s.decide(t, func(info v201.IdTokenInfo) { // C09.FR.05, C16: may the second token stop it?
			switch {
			case info.Status != v201.AuthorizationStatusAccepted: // C09.FR.11
			case e.auth && sameGroup(groupOf(info), e.group):
				s.stopLocal(e, t, v201.ReasonLocal)
			default:
				s.masterPass(t, info)
			}
		})
		return
	}
	s.ask(e, t)
}

// masterPass ends what charges anywhere at the station when the token is one (C16.FR.02: there is no screen to choose at).
func (s *Station) masterPass(t v201.IdToken, i v201.IdTokenInfo) {
	if i.Status != v201.AuthorizationStatusAccepted || !s.master(groupOf(i)) {
		return
	}
	for _, e := range s.evses {
		if e.tx != nil && e.auth {
			s.stopLocal(e, t, v201.ReasonMasterPass)
		}
	}
}

// ask finds out whether a token may begin to charge.
func (s *Station) ask(e *evse, t v201.IdToken) {
	if !e.serves() || e.faulted != "" || e.another(t) {
		s.emit(Permit{EVSE: e.n, Token: t})
		return
	}
	if s.barred(e, t, "") && (!s.byGroup(e) || t.Type == v201.IdTokenNoAuthorization) {
		s.note(false, "EVSE %d is reserved for another token", e.n)
		s.emit(Permit{EVSE: e.n, Token: t})
		return
	}
	if t.Type == v201.IdTokenNoAuthorization { // C02
		s.authorise(e, t, "", nil)
		return
	}
	e.pending = &t
	s.decide(t, func(info v201.IdTokenInfo) {
		if e.pending != &t || e.auth {
			return
		}
		e.pending = nil
		s.masterPass(t, info)
		group := groupOf(info)
		if s.barred(e, t, group) { // H03
			info.Status = v201.AuthorizationStatusInvalid
		}
		if !s.starts(e, info) || !e.serves() || e.faulted != "" {
			s.emit(Permit{EVSE: e.n, Token: t})
			return
		}
		s.authorise(e, t, group, nil)
		s.speak(e, info)
	})
}

// another tells whether a token differs from the one that has authorised the running transaction before: a transaction has one
// (C01.FR.23).
func (e *evse) another(t v201.IdToken) bool {
	return e.tx != nil && e.tx.Token != nil && (t.Type != e.tx.Token.Type || listKey(t) != listKey(*e.tx.Token))
}

// stopLocal ends the authorisation at an EVSE, by the token that was shown for it.
func (s *Station) stopLocal(e *evse, by v201.IdToken, reason v201.ReasonEnum) {
	if e.tx != nil {
		e.tx.Reason, e.stopper = reason, &by
		s.revoke(e, v201.TriggerReasonStopAuthorized, "stopped by token")
		return
	}
	s.deauthorise(e)
}

// authorise lets an EVSE charge; remote is the id of a remote start.
func (s *Station) authorise(e *evse, t v201.IdToken, group string, remote *int) {
	e.auth, e.token, e.group, e.remote = true, &t, group, remote
	if e.tx != nil {
		e.tx.Reason, e.tx.StopTold = "", false // it goes on
	}
	if id := s.redeem(e, t, group); id != 0 {
		e.resv = id
	}
	e.languages = [2]string{}
	s.release(e)
	s.lock(e, true) // before energy flows
	s.emit(Permit{EVSE: e.n, Allowed: true, Token: t, Remote: remote != nil})
	if !e.plugged {
		if d := s.model.seconds("TxCtrlr", "EVConnectionTimeOut"); d > 0 {
			e.plugBy = s.now.Add(d)
		}
	}
	s.fallback(e, "TariffFallbackMessage") // I04.FR.01, until the CSMS says what this driver pays
	s.evaluate(e, v201.TriggerReasonAuthorized)
	s.useStartProfile(e)
	s.statusesChanged() // H03.FR.10
}

// deauthorise takes a permission back.
func (s *Station) deauthorise(e *evse) {
	had := e.auth || e.token != nil
	e.languages = [2]string{}
	e.auth, e.token, e.group, e.remote, e.plugBy, e.startProf = false, nil, "", nil, time.Time{}, nil
	e.resv = 0
	s.lock(e, false) // E06.FR.10, E07.FR.07, E08.FR.03, E09.FR.02
	if had {
		s.emit(Permit{EVSE: e.n})
	}
}

// authDue ends authorisations whose vehicle did not come (E03.FR.05).
func (s *Station) authDue() {
	for _, e := range s.evses {
		if e.plugBy.IsZero() || s.now.Before(e.plugBy) {
			continue
		}
		e.plugBy, e.auth = time.Time{}, false
		s.endTx(e, v201.TriggerReasonEVConnectTimeout, v201.ReasonTimeout)
		s.deauthorise(e)
	}
}

// decide finds out whether a token is accepted: from the local list, the cache, the CSMS, or the offline rules (C01,
// C10 to C14), and calls done with the result now or later.
func (s *Station) decide(t v201.IdToken, done func(v201.IdTokenInfo)) {
	local, known := s.locally(t)
	accepted := known && local.Status == v201.AuthorizationStatusAccepted
	if s.Accepted() {
		if accepted && s.model.flag("AuthCtrlr", "LocalPreAuthorize") { // C10.FR.03, C14.FR.02
			done(local)
			return
		}
		if t.Type == v201.IdTokenCentral { // C04.FR.06: came from the CSMS
			done(v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted})
			return
		}
		if s.final(t, known, accepted) {
			if !known {
				local = v201.IdTokenInfo{Status: v201.AuthorizationStatusUnknown}
			}
			done(local)
			return
		}
		s.call(&v201.AuthorizeRequest{IdToken: t}, func(res rpc.Message, why string) {
			if r, ok := res.(*v201.AuthorizeResponse); ok {
				s.learn(t, r.IdTokenInfo)
				done(r.IdTokenInfo)
				return
			}
			if !unheard(why) && why != rpc.TimedOut.String() { // the CSMS is there and says nothing about the token: it is no unknown one
				done(s.trusted(t))
				return
			}
			done(s.offline(t))
		})
		return
	}
	done(s.offline(t))
}

// trusted is what list and cache alone say.
func (s *Station) trusted(t v201.IdToken) v201.IdTokenInfo {
	if local, known := s.locally(t); known && (local.Status != v201.AuthorizationStatusAccepted || s.model.flag("AuthCtrlr", "LocalAuthorizeOffline")) {
		return local // C13.FR.01, C13.FR.02
	}
	return v201.IdTokenInfo{Status: v201.AuthorizationStatusUnknown}
}

// offline is the decision without the CSMS.
func (s *Station) offline(t v201.IdToken) v201.IdTokenInfo {
	if _, known := s.locally(t); !known && s.model.flag("AuthCtrlr", "OfflineTxForUnknownIdEnabled") { // C15.FR.08
		return v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}
	}
	return s.trusted(t)
}

// locally looks a token up in the local list and then in the cache (C13.FR.01: the list has priority).
func (s *Station) locally(t v201.IdToken) (v201.IdTokenInfo, bool) {
	if s.model.flag("LocalAuthListCtrlr", "Enabled") {
		if info, ok := s.list.Entries[listKey(t)]; ok {
			if !info.CacheExpiryDateTime.IsZero() && s.now.After(info.CacheExpiryDateTime) {
				info.Status = v201.AuthorizationStatusExpired
			}
			return info, true
		}
	}
	if c, ok := s.cache[listKey(t)]; ok && s.model.flag("AuthCacheCtrlr", "Enabled") {
		info := v201.IdTokenInfo{Status: c.Status, EvseId: c.EVSEs, Language1: c.Languages[0], Language2: c.Languages[1]}
		if c.Group != "" {
			info.GroupIdToken = &v201.IdToken{IdToken: c.Group, Type: v201.IdTokenCentral}
		}
		if !c.Expires.IsZero() && s.now.After(c.Expires) {
			return info, false
		}
		return info, true
	}
	return v201.IdTokenInfo{}, false
}

// learn keeps what the CSMS said about a token (C10.FR.04); the oldest of too many go.
func (s *Station) learn(t v201.IdToken, info v201.IdTokenInfo) {
	const most = 1000
	if !s.model.flag("AuthCacheCtrlr", "Enabled") || t.Type == v201.IdTokenNoAuthorization || t.Type == v201.IdTokenCentral {
		return
	}
	key := listKey(t)
	c := cached{Status: info.Status, Expires: info.CacheExpiryDateTime, Languages: [2]string{info.Language1, info.Language2}, EVSEs: info.EvseId,
		Group: groupOf(info)}
	if life := s.model.seconds("AuthCacheCtrlr", "LifeTime"); c.Expires.IsZero() && life > 0 {
		c.Expires = s.now.Add(life)
	}
	if _, known := s.cache[key]; !known && len(s.cache) >= most {
		drop, at := "", time.Time{}
		for k, v := range s.cache { // the one that ends first; ties by name, to be deterministic
			if drop == "" || v.Expires.Before(at) || v.Expires.Equal(at) && k < drop {
				drop, at = k, v.Expires
			}
		}
		delete(s.cache, drop)
		s.saves.put(keyCache+drop, nil)
	}
	s.cache[key] = c
	s.save(keyCache+key, c)
}

// listKey is the key of a token in list and cache. An eMAID is the same with and without its separators.
func listKey(t v201.IdToken) string {
	id := strings.ToLower(t.IdToken)
	if t.Type == v201.IdTokenEMAID {
		id = strings.ReplaceAll(id, "-", "")
	}
	return string(t.Type) + "/" + id
}
