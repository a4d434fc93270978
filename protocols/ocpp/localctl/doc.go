// Package localctl is what an OCPP local controller does for one station behind it, as a machine without I/O: it relays
// the station's connection to the CSMS byte for byte, puts calls of its own in between, keeps the site's limit installed
// in the station, and, when the CSMS is gone and the site wants it so, answers in its place and delivers the transaction
// messages later. Only the controller actor drives it.
//
// What does not pass unchanged, and nothing else:
//   - SetNetworkProfile is refused, unless allowed: it would lead the station away from the controller;
//   - SetChargingProfile is refused where it would take the place of the controller's own profiles or overrule them;
//   - with Config.PerTx, TxProfiles of the CSMS are kept and folded into the controller's, and reported as they were set when it
//     asks with GetChargingProfiles; what GetCompositeSchedule tells is the lower of both;
//   - with Config.PerTx, the charging profile of a RequestStartTransaction (or RemoteStartTransaction) is kept in the same way and
//     does not reach the station: starts.go says why; with an id of the controller's, or of another purpose, the request is refused;
//   - ClearChargingProfile is carried out in parts where it would remove the controller's own limit, and answered as one;
//   - with Config.PerTx, PriorityCharging profiles of a station of OCPP 2.1 are cleared before its first limit and refused later, and
//     UpdateDynamicSchedule is refused for the controller's own profiles;
//   - the controller's own profiles are taken out of ReportChargingProfiles, where the others stay as they are written, and
//     tbc is set right; GetChargingProfiles is answered NoProfiles when the station has no others;
//   - GetTransactionStatus is answered with messagesInQueue when the controller holds messages of the transaction;
//   - transaction events that were taken while the CSMS was gone are delivered with the offline mark, under new ids;
//   - a transaction event that the station repeats, because it heard no answer, goes out as it did or will the first time;
//   - the missed BootNotification and the last state of each connector are delivered again after that.
//
// Frames that are no OCPP at all pass unchanged, too, and are counted. Answers to calls of our own never reach the CSMS.
package localctl

import (
	"time"

	"github.com/voltyard/voltyard/hal/si"
	"github.com/voltyard/voltyard/protocols/ocpp/rpc"
)

// Config describes a station and how it is treated.
type Config struct {
	Identity string
	Version  rpc.Version
	Stay     bool          // answer in the CSMS's place while it is gone; with OCPP 2.0.1 only
	Fallback si.Amps       // per phase, installed without end; what the station may draw when the controller is gone
	Phases   int           // of the station's supply, 1 or 3; 0 counts as 3
	Volts    si.Volts      // nominal
	MaxAmps  si.Amps       // of the station's supply, for folding the CSMS's own limits; 0 for 63 A
	Levels   int           // 1 for a station with a single stack level; 0 to ask it
	Whole    bool          // the station takes whole amperes only
	PerTx    bool          // the station honours limits of transactions only: the grant goes to its transactions in equal parts
	EVSEs    int           // with PerTx: how many it has; 0 counts as 1
	Timeout  time.Duration // of a call; 0 for 30 s
	Settle   time.Duration // how long a station may take to follow a lower limit; 0 for 6 s
	// QueueBytes is the size of the messages for the CSMS from which on intermediate updates are dropped; 0 for 4 MiB. From
	// twice that on the station is told to keep what it has.
	QueueBytes int
	Network    bool          // let SetNetworkProfile pass
	NewID      func() string // source of message ids, at most 36 characters, never twice the same
}

// Event goes into the machine.
type Event interface{ event() }

type (
	// StationUp says that the station is connected; StationDown that it is not any more.
	StationUp struct{}
	// StationDown is the end of the station's connection.
	StationDown struct{}
	// CSMSUp says that the connection to the CSMS is open; CSMSDown that it is not any more. Without the station it is open to
	// deliver what is queued, and closed with CloseCSMS afterwards.
	CSMSUp struct{ WithoutStation bool }
	// CSMSDown is the end of the connection to the CSMS.
	CSMSDown struct{}
	// FromStation is a message of the station; Raw belongs to the machine from then on.
	FromStation struct{ Raw []byte }
	// FromCSMS is a message of the CSMS.
	FromCSMS struct{ Raw []byte }
	// Tick says that the Deadline has come.
	Tick struct{}
	// Read answers Unread.
	Read struct{}
	// Stored answers Save.
	Stored struct {
		Token uint64
		Err   error
	}
	// Grant is the site's limit for the station: A per phase. Until zero means no end. Hold is what the station may hold once
	// this was sent; it is stored first, under HoldKey. After is stored there once the grant is in force, if no other came.
	Grant struct {
		Seq    uint64
		Amps   si.Amps
		Phases int // that may be used; 0 for as many as there are
		Until  time.Time
		Hold   []byte
		After  []byte
	}
)

func (StationUp) event()   {}
func (StationDown) event() {}
func (CSMSUp) event()      {}
func (CSMSDown) event()    {}
func (FromStation) event() {}
func (FromCSMS) event()    {}
func (Tick) event()        {}
func (Read) event()        {}
func (Stored) event()      {}
func (Grant) event()       {}

// Effect comes out of the machine.
type Effect interface{ effect() }

// Op is one write: Value nil deletes the key.
type Op struct {
	Key   string
	Value []byte
}

type (
	// ToStation sends a message to the station.
	ToStation struct{ Raw []byte }
	// ToCSMS sends a message to the CSMS.
	ToCSMS struct{ Raw []byte }
	// Unread asks for Read once the effects before it are carried out: a message was passed on before it was understood. Any other
	// event has it understood first.
	Unread struct{}
	// CloseStation closes the station's connection.
	CloseStation struct{ Why string }
	// CloseCSMS closes the connection to the CSMS, to be dialled again.
	CloseCSMS struct{ Why string }
	// Deadline asks for a Tick; the zero time cancels it.
	Deadline struct{ At time.Time }
	// Save asks to write all Ops or none; Stored with Token must follow.
	Save struct {
		Ops   []Op
		Token uint64
	}
	// Ack says that the grant with this Seq is in force: the station cannot draw more any more. Refused says that the
	// station did not take it.
	Ack struct {
		Seq     uint64
		Refused bool
	}
	// Late says that what the station was given lasts until then, longer than was believed when it was: its clock is slower. What
	// was granted with an end stays reserved as long.
	Late struct{ Until time.Time }
	// Seen reports what the station draws, on every change.
	Seen struct{ State State }
	// Session reports the begin and the end of a transaction of the station, for statistics. Failed ones ended by a fault.
	Session struct {
		Tx     string
		Ended  bool
		Failed bool
		Energy si.WattHours
	}
	// Note is a line for the log; Bad ones count as OCPP errors.
	Note struct {
		What string
		Bad  bool
	}
	// Counted reports messages: relayed CALLs, and ones of our own, by action.
	Counted struct {
		Action string
		Own    bool
	}
)

func (ToStation) effect()    {}
func (ToCSMS) effect()       {}
func (Unread) effect()       {}
func (CloseStation) effect() {}
func (CloseCSMS) effect()    {}
func (Deadline) effect()     {}
func (Save) effect()         {}
func (Ack) effect()          {}
func (Late) effect()         {}
func (Seen) effect()         {}
func (Session) effect()      {}
func (Note) effect()         {}
func (Counted) effect()      {}

// State is what is known of a station by its own messages.
type State struct {
	Ready    bool      // connected, accepted, and takes calls of the controller
	Wants    bool      // a vehicle is connected and would charge
	EVs      int       // vehicles connected
	Phases   int       // in use, 0 when unknown
	Measured bool      // Amps and Power were reported
	Amps     si.Phases // import, all EVSEs together
	Power    si.Watts
	Energy   si.WattHours  // of the running transactions
	At       time.Time     // of the last reading
	Status   string        // of the first connector
	Over     bool          // draws more than the limit that it accepted
	Pinned   bool          // can be given no more than the fallback: one stack level, and the site counts on two
	Off      time.Duration // of its clock from the right time, ahead is positive, when it is so much that it gets no more than the fallback; else 0
}
