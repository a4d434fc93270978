package station

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// with sets variables of the station.
func with(vars ...string) func(*Config) {
	return func(c *Config) {
		c.Variables = map[string]string{}
		for i := 0; i+1 < len(vars); i += 2 {
			c.Variables[vars[i]] = vars[i+1]
		}
	}
}

// group is an accepted token of a group; "" for none.
func group(g string) v201.IdTokenInfo {
	i := v201.IdTokenInfo{Status: v201.AuthorizationStatusAccepted}
	if g != "" {
		i.GroupIdToken = &v201.IdToken{IdToken: g, Type: v201.IdTokenCentral}
	}
	return i
}

// says has the CSMS answer for tokens, and "Unknown" for the others.
func (w *world) says(tokens map[string]v201.IdTokenInfo) {
	w.answers["Authorize"] = func(q rpc.Message) rpc.Message {
		if i, ok := tokens[q.(*v201.AuthorizeRequest).IdToken.IdToken]; ok {
			return &v201.AuthorizeResponse{IdTokenInfo: i}
		}
		return &v201.AuthorizeResponse{IdTokenInfo: v201.IdTokenInfo{Status: v201.AuthorizationStatusUnknown}}
	}
}

func (w *world) list(tokens map[string]v201.IdTokenInfo) {
	w.t.Helper()
	q := &v201.SendLocalListRequest{VersionNumber: 1, UpdateType: v201.UpdateFull}
	for id, i := range tokens {
		q.LocalAuthorizationList = append(q.LocalAuthorizationList, v201.AuthorizationData{IdToken: card(id), IdTokenInfo: &i})
	}
	if got := w.ask(q); !strings.Contains(got, "Accepted") {
		w.t.Fatal(got)
	}
}

// show presents a token and says whether the EVSE may charge.
func (w *world) show(evse int, id string) bool {
	w.t.Helper()
	w.effects = nil
	w.do(Presented{evse, card(id)})
	p, ok := w.permit(evse)
	return ok && p.Allowed
}

func (w *world) begin(evse int, id string) {
	w.t.Helper()
	w.do(Plugged{evse})
	if !w.show(evse, id) || w.s.Transaction(evse) == "" {
		w.t.Fatalf("%s does not charge at EVSE %d", id, evse)
	}
	w.do(Flow{evse, v201.ChargingStateCharging, 3})
}

// Who may end a transaction: its token, and one of its group, without asking where list or cache know it (C01.FR.03, C09.FR.03,
// FR.07, FR.11, E07.FR.01, FR.02), also offline.
func TestWhoMayStop(t *testing.T) {
	blocked := group("G")
	blocked.Status = v201.AuthorizationStatusBlocked
	tokens := map[string]v201.IdTokenInfo{"OWNER": group("G"), "FRIEND": group("g"), "BLOCKED": blocked, "OTHER": group("H"), "NOGROUP": group("")}
	for _, c := range []struct {
		id            string
		known, online bool
		stops, asks   bool
	}{
		{"owner", false, true, true, false},
		{"FRIEND", true, true, true, false},
		{"FRIEND", false, true, true, true},
		{"FRIEND", true, false, true, false},
		{"FRIEND", false, false, false, false},
		{"BLOCKED", true, true, false, true},
		{"BLOCKED", true, false, false, false},
		{"OTHER", true, true, false, true},
		{"OTHER", true, false, false, false},
		{"NOGROUP", false, true, false, true},
		{"STRANGER", false, false, false, false}, // would start, and does not stop
	} {
		t.Run(fmt.Sprintf("%s/known=%v/online=%v", c.id, c.known, c.online), func(t *testing.T) {
			w := newWorld(t, with("AuthCtrlr.OfflineTxForUnknownIdEnabled", "true"))
			w.says(tokens)
			w.do(Connected{})
			if c.known {
				w.list(tokens)
			}
			w.begin(1, "OWNER")
			if !c.online {
				w.do(Disconnected{})
			}
			w.requests = nil
			w.do(Presented{1, card(c.id)})
			if stopped := w.s.Transaction(1) == ""; stopped != c.stops {
				t.Errorf("stopped: %v", stopped)
			}
			if asked := len(requests[*v201.AuthorizeRequest](w)) > 0; asked != c.asks {
				t.Errorf("asked: %v", asked)
			}
			if w.do(Connected{}); c.stops {
				if e := w.lastEvent(); e.EventType != v201.TransactionEventEnded || e.TriggerReason != v201.TriggerReasonStopAuthorized || e.IdToken == nil || e.IdToken.IdToken != c.id ||
					(e.Offline != nil) == c.online {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// A master pass ends everything that charges (C16.FR.02), wherever it is shown, and begins nothing (C16.FR.03, C12.FR.09).
func TestAMasterPass(t *testing.T) {
	for evse := 1; evse <= 2; evse++ {
		w := newWorld(t, with("AuthCtrlr.MasterPassGroupId", "MASTER"))
		w.says(map[string]v201.IdTokenInfo{"A": group(""), "B": group("G"), "LAW": group("master")})
		w.do(Connected{})
		w.begin(1, "A")
		if evse == 1 { // else it is shown where nothing charges
			w.begin(2, "B")
		}
		w.show(evse, "LAW")
		for n := range 2 {
			if w.s.Transaction(n+1) != "" {
				t.Errorf("shown at EVSE %d: EVSE %d charges on", evse, n+1)
			}
		}
		if e := w.lastEvent(); e.TransactionInfo.StoppedReason != v201.ReasonMasterPass || e.IdToken == nil || e.IdToken.IdToken != "LAW" {
			t.Errorf("%+v", e)
		}
		w.do(Unplugged{evse})
		w.do(Plugged{evse})
		if w.show(evse, "LAW") {
			t.Error("it begins")
		}
		w.put("AuthCtrlr", "LocalPreAuthorize", "true")
		if w.show(evse, "LAW") {
			t.Error("it begins from the cache")
		}
		w.ask(&v201.RequestStartTransactionRequest{EvseId: &evse, RemoteStartId: 1, IdToken: card("X"), GroupIdToken: &v201.IdToken{IdToken: "MASTER", Type: v201.IdTokenCentral}})
		w.put("AuthCtrlr", "AuthorizeRemoteStart", "true")
		w.ask(&v201.RequestStartTransactionRequest{EvseId: &evse, RemoteStartId: 2, IdToken: card("LAW")})
		if w.s.Transaction(evse) != "" {
			t.Error("it begins from afar")
		}
	}
}

// A token that is allowed at some EVSEs charges at those alone (C01.FR.21): as the CSMS says, from the cache, from the list, from afar.
func TestATokenOfSomeEVSEs(t *testing.T) {
	second := group("")
	second.EvseId = []int{2}
	w := newWorld(t, with("AuthCtrlr.AuthorizeRemoteStart", "true"))
	w.says(map[string]v201.IdTokenInfo{"A": second})
	w.do(Connected{})
	try := func(how string) {
		t.Helper()
		if w.show(1, "A") {
			t.Errorf("%s: it charges at the first", how)
		}
		if !w.show(2, "A") {
			t.Errorf("%s: it does not charge at the second", how)
		}
		w.show(2, "A")
	}
	w.do(Plugged{1})
	w.do(Plugged{2})
	try("asked")
	w.start()
	w.do(Plugged{1})
	w.do(Plugged{2})
	try("cached, offline")
	w.do(Connected{})
	w.ask(&v201.ClearCacheRequest{})
	w.list(map[string]v201.IdTokenInfo{"A": second})
	w.do(Disconnected{})
	try("listed, offline")
	w.do(Connected{})
	w.ask(&v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: card("A")})
	if w.s.Transaction(1) != "" {
		t.Error("it charges from afar")
	}
}

// The CSMS that answers with an error is there: a token that nobody knows is not taken for one of an outage, one that is known is.
func TestAnErrorIsNoOutage(t *testing.T) {
	w := newWorld(t, with("AuthCtrlr.OfflineTxForUnknownIdEnabled", "true"))
	w.do(Connected{})
	w.list(map[string]v201.IdTokenInfo{"KNOWN": group("")})
	w.refuse = "Authorize"
	w.do(Plugged{1})
	if w.show(1, "UNKNOWN") {
		t.Error("an unknown token charges")
	}
	if !w.show(1, "KNOWN") {
		t.Error("a known one does not")
	}
}

// What counts offline: the list before the cache, neither when it says no or is out of date (C13.FR.01, FR.05, FR.06, C10.FR.10); the
// unknown only where that is set, and it is in no cache then (C15.FR.01, FR.08).
func TestTokensOffline(t *testing.T) {
	old, later := group(""), group("")
	old.CacheExpiryDateTime, later.CacheExpiryDateTime = t0.Add(time.Minute), t0.Add(100*time.Hour)
	blocked := v201.IdTokenInfo{Status: v201.AuthorizationStatusBlocked}
	for _, unknown := range []bool{false, true} {
		w := newWorld(t, with("AuthCtrlr.OfflineTxForUnknownIdEnabled", fmt.Sprint(unknown)))
		cached := map[string]v201.IdTokenInfo{"LISTEDGOOD": blocked, "LISTEDBAD": group(""), "CACHED": group(""), "CACHEDBAD": blocked, "CACHEDOLD": old}
		w.says(cached)
		w.do(Connected{})
		w.do(Plugged{1})
		for id := range cached {
			if w.show(1, id) {
				w.show(1, id)
			}
		}
		w.list(map[string]v201.IdTokenInfo{"LISTEDGOOD": later, "LISTEDBAD": blocked, "LISTEDOLD": old})
		w.do(Disconnected{})
		w.wait(2 * time.Minute)
		for id, want := range map[string]bool{"LISTEDGOOD": true, "LISTEDBAD": false, "LISTEDOLD": false, "CACHED": true, "CACHEDBAD": false, "CACHEDOLD": unknown, "UNKNOWN": unknown} {
			if got := w.show(1, id); got != want {
				t.Errorf("unknown allowed: %v: %s charges: %v", unknown, id, got)
			}
			w.show(1, id)
		}
		for id := range w.s.cache {
			if strings.HasSuffix(id, "/unknown") {
				t.Error("the unknown token is in the cache")
			}
		}
	}
	// Online a listed token that is out of date is asked for, as if it were not listed (C14.FR.05).
	w := newWorld(t, with("LocalAuthListCtrlr.DisablePostAuthorize", "true", "AuthCtrlr.LocalPreAuthorize", "true"))
	w.says(map[string]v201.IdTokenInfo{"OLD": group("")})
	w.do(Connected{})
	w.list(map[string]v201.IdTokenInfo{"OLD": old, "BAD": blocked})
	w.wait(2 * time.Minute)
	w.do(Plugged{1})
	if w.show(1, "BAD") || len(requests[*v201.AuthorizeRequest](w)) != 0 {
		t.Error("a listed token that is refused is asked for")
	}
	if !w.show(1, "OLD") || len(requests[*v201.AuthorizeRequest](w)) != 1 {
		t.Error("a listed token that is out of date is not asked for")
	}
	if v, m := w.get("LocalAuthListCtrlr", "SupportsExpiryDateTime"); v != "true" || m != "ro" {
		t.Errorf("%q, %q", v, m)
	}
}

// A list or an emptied cache that cannot be stored does not count, as the CSMS is told (D01.FR.02, C11.FR.05).
func TestAListThatCannotBeStored(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.list(map[string]v201.IdTokenInfo{"OLD": group("")})
	w.do(Plugged{1})
	w.show(1, "CACHED")
	w.do(Unplugged{1})
	for _, q := range []rpc.Message{&v201.SendLocalListRequest{VersionNumber: 2, UpdateType: v201.UpdateFull}, &v201.ClearCacheRequest{}} {
		w.noCommit, w.saves, w.results = true, nil, map[string]string{}
		if got := w.ask(q); got != "" || len(w.saves) != 1 {
			t.Fatalf("answered before it is stored: %s", got)
		}
		w.do(Stored{Token: w.saves[0].Token, Err: errTest})
		w.noCommit = false
		for _, s := range w.saves[1:] {
			w.commit(s)
		}
		for _, got := range w.results {
			if !strings.Contains(got, "OutOfStorage") {
				t.Error(got)
			}
		}
		w.wait(time.Minute)
	}
	for range 2 { // and after a restart
		if got := w.ask(&v201.GetLocalListVersionRequest{}); got != `{"versionNumber":1}` {
			t.Error(got)
		}
		w.do(Disconnected{})
		w.start()
		w.do(Connected{})
	}
	w.do(Disconnected{})
	w.do(Plugged{1})
	for _, id := range []string{"OLD", "CACHED"} {
		if !w.show(1, id) {
			t.Errorf("%s does not charge", id)
		}
		w.show(1, id)
	}
}

// A transaction has one token (C01.FR.23): while it goes on without permission another one is refused, here and from afar (F01.FR.24).
func TestATransactionHasOneToken(t *testing.T) {
	w := newWorld(t, with("TxCtrlr.TxStartPoint", "EVConnected", "TxCtrlr.TxStopPoint", "EVConnected"))
	w.do(Connected{})
	w.begin(1, "A")
	tx := w.s.Transaction(1)
	w.show(1, "A")
	if w.show(1, "B") {
		t.Error("another token charges in the transaction")
	}
	if got := w.ask(&v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: card("B")}); !strings.Contains(got, "Rejected") {
		t.Error(got)
	}
	if !w.show(1, "A") || w.s.Transaction(1) != tx {
		t.Error("its own one does not")
	}
	w.do(Unplugged{1})
	if e := w.lastEvent(); e.TransactionInfo.StoppedReason != v201.ReasonEVDisconnected { // the stop before is over
		t.Errorf("%+v", e.TransactionInfo)
	}
}

// The group that the CSMS names with an event counts after a restart, too.
func TestTheGroupOutlastsARestart(t *testing.T) {
	w := newWorld(t, nil)
	w.answers["TransactionEvent"] = func(q rpc.Message) rpc.Message {
		if q.(*v201.TransactionEventRequest).IdToken == nil {
			return &v201.TransactionEventResponse{}
		}
		i := group("G")
		return &v201.TransactionEventResponse{IdTokenInfo: &i}
	}
	w.do(Connected{})
	w.do(Plugged{1})
	w.ask(&v201.RequestStartTransactionRequest{EvseId: new(1), RemoteStartId: 1, IdToken: card("A")})
	w.start()
	w.says(map[string]v201.IdTokenInfo{"FRIEND": group("G")})
	w.do(Connected{})
	w.do(Plugged{1})
	if w.show(1, "FRIEND"); w.s.Transaction(1) != "" {
		t.Error("one of the group does not stop it")
	}
}

// The CSMS may refuse a token with the answer to any event (E05.FR.10).
func TestATokenIsRefusedLater(t *testing.T) {
	w := newWorld(t, nil)
	w.do(Connected{})
	w.begin(1, "A")
	w.answers["TransactionEvent"] = func(rpc.Message) rpc.Message {
		return &v201.TransactionEventResponse{IdTokenInfo: &v201.IdTokenInfo{Status: v201.AuthorizationStatusBlocked}}
	}
	w.do(Flow{1, v201.ChargingStateSuspendedEV, 3})
	if e := w.lastEvent(); e.EventType != v201.TransactionEventEnded || e.TriggerReason != v201.TriggerReasonDeauthorized || e.TransactionInfo.StoppedReason != v201.ReasonDeAuthorized {
		t.Errorf("%+v", e)
	}
}
