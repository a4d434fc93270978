package lease

// Adopt takes over what another ledger knows about the EVSEs and stations that both trees have, so that new figures of a
// site (limits, weights, floors) can be taken over while it runs: what may still be drawn stays reserved, and grants on
// their way can still be acknowledged. FirstSeq of this ledger must be above every Seq of the other.
func (l *Ledger) Adopt(old *Ledger) {
	for i := range l.held {
		k, ok := old.tree.FindEVSE(l.tree.EVSE(i).ID)
		if !ok {
			continue
		}
		l.held[i] = old.held[k]
		l.held[i].pending = append([]claim(nil), old.held[k].pending...)
	}
	l.seq = max(l.seq, old.seq)
}
