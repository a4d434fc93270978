// Package failsafe breaks one part of a running site at a time and proves the state that the site goes to, in virtual time.
//
//	what fails                      state                                                       within
//	the building's broker or EMS    the failsafe of its source (silence_s, or an expired limit)  silence_s, or the validity
//	the energy guard (LPC)          its failsafe_w                                               its heartbeat timeout, 120 s
//	a digital input                 the strictest of the source's contacts, or its failsafe      5 s (stale_s)
//	the meter of a node             the configured worst case of the load behind it              5 s (stale_s)
//	an EVSE's own actor             its contactor opens; it begins anew                          at once
//	the balancer, for good          every EVSE keeps at most its floor; then it opens            5 s; the floor's time
//	the balancer, once              nothing: a new one learns what EVSEs hold first              at once
//	the planner                     its last plan is followed to its end, no limit waits for it  at once
//	the CSMS                        its last charging profiles stay in force                     at once
//	the wall clock                  spans go on by the monotonic clock; what a source with       at once
//	                                another clock says is refused, and its failsafe follows
//
// The clock is in actors/balancer (TestClockJumps), late and wrong planners in actors/balancer (TestNoPlannerDelaysOrLiftsALimit),
// the rest here. In every case nothing rises because somebody is silent.
package failsafe
