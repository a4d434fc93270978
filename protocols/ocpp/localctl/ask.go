package localctl

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v16"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// What a station is asked before it gets its first profile: its stack levels, and with OCPP 2.1 which ids it keeps to itself
// (K01.FR.81) and how often its profiles may be set (K01.FR.56).
const (
	varLevels = "ProfileStackLevel"
	varIDs    = "MaxExternalConstraintsId"
	varRate   = "ChargingProfileUpdateRateLimit"
)

// askLevels asks the station for its highest stack level. No answer is asked again; a refusal counts as a single level.
func (r *Relay) askLevels() {
	if r.cfg.Version == rpc.V16 {
		q := v16.GetConfigurationRequest{Key: []string{"ChargeProfileMaxStackLevel"}}
		r.ask(&r.station, "levels", true, q.ActionName(), q.AppendJSON(nil), func(a answer) {
			var res v16.GetConfigurationResponse
			if a.ok() && res.UnmarshalJSON(a.payload) == nil && len(res.ConfigurationKey) > 0 {
				r.setLevels(res.ConfigurationKey[0].Value)
				return
			}
			r.levelsUnknown(a)
		})
		return
	}
	var q v201.GetVariablesRequest
	names := []string{varLevels}
	if r.cfg.Version == rpc.V21 {
		names = append(names, varIDs, varRate)
	}
	for _, name := range names {
		q.GetVariableData = append(q.GetVariableData, v201.GetVariableData{Component: v201.Component{Name: "SmartChargingCtrlr"}, Variable: v201.Variable{Name: name}})
	}
	r.ask(&r.station, "levels", true, q.ActionName(), q.AppendJSON(nil), func(a answer) {
		var res v201.GetVariablesResponse
		if a.ok() && res.UnmarshalJSON(a.payload) == nil && len(res.GetVariableResult) > 0 {
			values := map[string]string{varLevels: res.GetVariableResult[0].AttributeValue}
			for _, v := range res.GetVariableResult {
				if v.AttributeStatus == v201.GetVariableStatusAccepted {
					values[v.Variable.Name] = v.AttributeValue
				}
			}
			if n, err := strconv.Atoi(values[varIDs]); err == nil {
				r.limit.positive = n >= -idDefault-maxEVSEs
			}
			if n, err := strconv.Atoi(values[varRate]); err == nil && n > 0 {
				r.limit.rate = min(time.Duration(n)*time.Second, time.Hour)
			}
			r.setLevels(values[varLevels])
			return
		}
		r.levelsUnknown(a)
	})
}

func (r *Relay) levelsUnknown(a answer) {
	switch {
	case a.ok(), a.code != "":
		r.setLevels("")
	case r.ready && a.what != gone:
		r.askLevels()
	}
}

// setLevels takes the highest stack level that the station accepts, or what the site says of it.
func (r *Relay) setLevels(value string) {
	if !r.ready {
		return
	}
	top := 0
	switch {
	case r.cfg.Levels > 0:
		top = r.cfg.Levels - 1
	case json.Unmarshal([]byte(value), &top) != nil || top < 0:
		r.note(false, "the station does not tell its stack levels; one is assumed")
		top = 0
	}
	if top == 0 && r.cfg.Levels == 0 {
		r.note(false, "the station has one stack level and is not described so: it stays at its fallback; set levels: 1")
	}
	r.limit.levels = min(top, 1000) + 1
	r.seen.report(r)
	r.install()
}

// askFirst asks what must be known before anything is installed; nothing while nothing is to be.
func (r *Relay) askFirst() {
	switch {
	case r.limit.levels > 0:
		r.install()
	case r.cfg.Levels > 0 && r.cfg.Version != rpc.V21:
		r.limit.levels = r.cfg.Levels
		r.install()
	case r.cfg.Levels == 1 && !r.cfg.PerTx && r.limit.grant == nil:
	default:
		r.askLevels()
	}
}

// clearPriority takes PriorityCharging profiles away from a station of OCPP 2.1 that honours limits of transactions only: its
// driver can have one go before ours at any time (K22.FR.02). No answer is asked again. It returns true once they are gone.
func (r *Relay) clearPriority() bool {
	if r.cfg.Version != rpc.V21 || r.limit.cleared {
		return true
	}
	r.ask(&r.station, "priority", true, "ClearChargingProfile", []byte(`{"chargingProfileCriteria":{"chargingProfilePurpose":"PriorityCharging"}}`), func(a answer) {
		switch {
		case a.ok(), a.code != "": // none was there, or the purpose is not known
			r.limit.cleared = true
			r.install()
		case r.ready && a.what != gone:
			r.clearPriority()
		}
	})
	return false
}
