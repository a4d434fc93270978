package msg

import "github.com/asynkron/protoactor-go/actor"

// The recorder is the only writer of the database. Whoever needs something durable sends Save and treats it as done when
// Saved comes back; what is durable is acknowledged to the outside only then.

// Op is one write: Value nil deletes the key.
type Op struct {
	Bucket string
	Key    []byte
	Value  []byte
}

// Save asks for a set of writes, all or none of them. Ops and what they point at belong to the recorder from then on.
type Save struct {
	Ops   []Op
	Token uint64     // given back in Saved
	Reply *actor.PID // nil when the sender does not need to know
}

// Saved reports a Save: committed to disk when Err is nil. Recorder to Reply.
type Saved struct {
	Token uint64
	Err   error
}

// Load asks for all keys of a bucket that begin with Prefix, in key order. The answer is Loaded.
type Load struct {
	Bucket string
	Prefix []byte
	Token  uint64
	Reply  *actor.PID
}

// KV is one stored pair.
type KV struct {
	Key, Value []byte
}

// Loaded answers Load.
type Loaded struct {
	Bucket string
	Token  uint64
	Pairs  []KV
	Err    error
}
