package station

import (
	"maps"
	"slices"
	"strconv"

	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
	"github.com/voltyard/voltyard/protocols/ocpp/v201"
)

// localList is the local authorisation list (D01). Only SendLocalList changes it (D01.FR.09).
type localList struct {
	Version int
	Entries map[string]v201.IdTokenInfo
}

const maxListEntries = 5000

func sendLocalList(s *Station, q *v201.SendLocalListRequest) (rpc.Message, error) {
	status := func(st v201.SendLocalListStatusEnum) (rpc.Message, error) {
		return &v201.SendLocalListResponse{Status: st}, nil
	}
	if limit := s.model.number("LocalAuthListCtrlr", "ItemsPerMessage"); len(q.LocalAuthorizationList) > limit { // D01.FR.11
		return nil, &rpc.Error{Code: rpc.OccurrenceConstraintViolation, Path: "localAuthorizationList", What: "more than " + strconv.Itoa(limit) + " elements"}
	}
	if q.VersionNumber <= 0 || !s.model.flag("LocalAuthListCtrlr", "Enabled") { // D01.FR.18
		return status(v201.SendLocalListStatusFailed)
	}
	next := map[string]v201.IdTokenInfo{}
	if q.UpdateType == v201.UpdateDifferential {
		if q.VersionNumber <= s.list.Version { // D01.FR.19
			return status(v201.SendLocalListStatusVersionMismatch)
		}
		for k, v := range s.list.Entries {
			next[k] = v
		}
	}
	seen := map[string]bool{}
	for _, d := range q.LocalAuthorizationList {
		key := listKey(d.IdToken)
		if seen[key] { // an idToken may appear only once
			return status(v201.SendLocalListStatusFailed)
		}
		seen[key] = true
		if d.IdTokenInfo == nil {
			if q.UpdateType == v201.UpdateFull {
				return status(v201.SendLocalListStatusFailed)
			}
			delete(next, key) // D01.FR.17
			continue
		}
		next[key] = *d.IdTokenInfo
	}
	if len(next) > maxListEntries {
		return status(v201.SendLocalListStatusFailed)
	}
	was := s.list
	s.list = localList{Version: q.VersionNumber, Entries: next}
	s.save(keyList, s.list)
	s.otherwise(func() rpc.Message { // D01.FR.02: the CSMS is to know which list counts
		s.list = was
		s.save(keyList, was)
		return &v201.SendLocalListResponse{Status: v201.SendLocalListStatusFailed, StatusInfo: info("OutOfStorage")}
	})
	return status(v201.SendLocalListStatusAccepted)
}

func getLocalListVersion(s *Station, _ *v201.GetLocalListVersionRequest) (rpc.Message, error) {
	v := s.list.Version
	if !s.model.flag("LocalAuthListCtrlr", "Enabled") { // D02.FR.03
		v = 0
	}
	return &v201.GetLocalListVersionResponse{VersionNumber: v}, nil
}

func clearCache(s *Station, _ *v201.ClearCacheRequest) (rpc.Message, error) {
	if !s.model.flag("AuthCacheCtrlr", "Enabled") { // C11.FR.04
		return &v201.ClearCacheResponse{Status: v201.ClearCacheStatusRejected}, nil
	}
	for _, k := range slices.Sorted(maps.Keys(s.cache)) {
		s.saves.put(keyCache+k, nil)
	}
	was := s.cache
	s.cache = map[string]cached{}
	s.otherwise(func() rpc.Message { // C11.FR.05
		for k, c := range was {
			if _, newer := s.cache[k]; !newer {
				s.cache[k] = c
				s.save(keyCache+k, c)
			}
		}
		return &v201.ClearCacheResponse{Status: v201.ClearCacheStatusRejected, StatusInfo: info("OutOfStorage")}
	})
	return &v201.ClearCacheResponse{Status: v201.ClearCacheStatusAccepted}, nil
}
