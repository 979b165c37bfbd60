package room

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Hash chains the entries of a log: SHA-256 over a format tag, the previous entry's hash, the room, everything in
// the entry's envelope, and the SHA-256 of its event's bytes. An event's bytes can therefore be erased while its
// hash, and the proof of everything around it, stays.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// hashTag separates these hashes from all others and names their version.
const hashTag = "parley entry 1\n"

// ErrDamaged says that stored bytes are not what was written.
var ErrDamaged = errors.New("damaged")

// Unknown is an event of a kind this version does not know, kept as it was written. Apply ignores it.
type Unknown struct {
	Kind string
	Data json.RawMessage
}

func (Unknown) apply(*State, *Entry) {}

// kinds names every event for ever: a name is never reused for another meaning.
var kinds = map[string]reflect.Type{
	"room_created":      reflect.TypeFor[RoomCreated](),
	"room_described":    reflect.TypeFor[RoomDescribed](),
	"person_joined":     reflect.TypeFor[PersonJoined](),
	"person_changed":    reflect.TypeFor[PersonChanged](),
	"person_left":       reflect.TypeFor[PersonLeft](),
	"model_added":       reflect.TypeFor[ModelAdded](),
	"model_updated":     reflect.TypeFor[ModelUpdated](),
	"model_removed":     reflect.TypeFor[ModelRemoved](),
	"message_posted":    reflect.TypeFor[MessagePosted](),
	"reply_requested":   reflect.TypeFor[ReplyRequested](),
	"reply_resumed":     reflect.TypeFor[ReplyResumed](),
	"reply_completed":   reflect.TypeFor[ReplyCompleted](),
	"reply_interrupted": reflect.TypeFor[ReplyInterrupted](),
	"reply_failed":      reflect.TypeFor[ReplyFailed](),
	"reply_declined":    reflect.TypeFor[ReplyDeclined](),
	"reply_withheld":    reflect.TypeFor[ReplyWithheld](),
	"poll_opened":       reflect.TypeFor[PollOpened](),
	"ballot_requested":  reflect.TypeFor[BallotRequested](),
	"ballot_resumed":    reflect.TypeFor[BallotResumed](),
	"ballot_missed":     reflect.TypeFor[BallotMissed](),
	"vote_cast":         reflect.TypeFor[VoteCast](),
	"poll_closed":       reflect.TypeFor[PollClosed](),
	"autopilot_started": reflect.TypeFor[AutopilotStarted](),
	"autopilot_paused":  reflect.TypeFor[AutopilotPaused](),
	"autopilot_resumed": reflect.TypeFor[AutopilotResumed](),
	"autopilot_guided":  reflect.TypeFor[AutopilotGuided](),
	"autopilot_ended":   reflect.TypeFor[AutopilotEnded](),
	"policy_changed":    reflect.TypeFor[PolicyChanged](),
	"usage_recorded":    reflect.TypeFor[UsageRecorded](),
	"summary_requested": reflect.TypeFor[SummaryRequested](),
	"summary_resumed":   reflect.TypeFor[SummaryResumed](),
	"summary_written":   reflect.TypeFor[SummaryWritten](),
	"summary_failed":    reflect.TypeFor[SummaryFailed](),
}

var names = func() map[reflect.Type]string {
	m := make(map[reflect.Type]string, len(kinds))
	for name, t := range kinds {
		m[t] = name
	}
	return m
}()

// EncodeEvent gives an event's kind and its one canonical encoding: JSON, fields in the order of the struct.
func EncodeEvent(e Event) (kind string, data []byte, err error) {
	if u, ok := e.(Unknown); ok {
		return u.Kind, u.Data, nil
	}
	kind, ok := names[reflect.TypeOf(e)]
	if !ok {
		return "", nil, fmt.Errorf("encode %T: not an event of the log", e)
	}
	if data, ok := encodeMessage(e); ok {
		return kind, data, nil
	}
	data, err = json.Marshal(e)
	return kind, data, err
}

// DecodeEvent is the reverse of EncodeEvent. A kind it does not know becomes Unknown.
func DecodeEvent(kind string, data []byte) (Event, error) {
	if e, ok := decodeQuick(kind, data); ok {
		return e, nil
	}
	t, ok := kinds[kind]
	if !ok {
		return Unknown{Kind: kind, Data: append([]byte(nil), data...)}, nil
	}
	v := reflect.New(t)
	if err := json.Unmarshal(data, v.Interface()); err != nil {
		return nil, fmt.Errorf("decode %s: %w: %w", kind, ErrDamaged, err)
	}
	return v.Elem().Interface().(Event), nil
}

// AppendEntry appends the stored form of e to dst and returns it with the entry's hash. The room is not part of the
// stored form (the store knows it) but it is part of the hash.
//
// The form is: uvarint length, then the head (offset uvarint, time in Unix nanoseconds varint, by, cause, number of
// to and each of them, kind; strings with their uvarint length), uvarint length, then the event's bytes.
func AppendEntry(dst []byte, prev Hash, e *Entry) ([]byte, Hash, error) {
	kind, body, err := EncodeEvent(e.Event)
	if err != nil {
		return dst, Hash{}, err
	}
	var buf [256]byte
	head := binary.AppendUvarint(buf[:0], uint64(e.Offset))
	head = binary.AppendVarint(head, e.At.UnixNano())
	head = appendString(head, string(e.By))
	head = appendString(head, e.Cause)
	head = binary.AppendUvarint(head, uint64(len(e.To)))
	for _, to := range e.To {
		head = appendString(head, string(to))
	}
	head = appendString(head, kind)
	dst = binary.AppendUvarint(dst, uint64(len(head)))
	dst = append(dst, head...)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	dst = append(dst, body...)
	return dst, chain(prev, e.Room, head, body), nil
}

// CutEntry reads the first stored entry of src and returns it, with its hash, and what follows it.
func CutEntry(src []byte, prev Hash, id ID) (e Entry, rest []byte, err error) {
	r := reader{b: src}
	head := r.bytes()
	body := r.bytes()
	if r.bad {
		return Entry{}, nil, fmt.Errorf("cut entry: %w", ErrDamaged)
	}
	h, text := reader{b: head}, string(head)
	e = Entry{Room: id, Offset: Offset(h.uvarint()), At: time.Unix(0, h.varint()).UTC()}
	e.By, e.Cause = Identity(h.string(text)), h.string(text)
	for n := h.uvarint(); n > 0 && !h.bad; n-- {
		e.To = append(e.To, Identity(h.string(text)))
	}
	kind := h.string(text)
	if h.bad || len(h.b) > 0 {
		return Entry{}, nil, fmt.Errorf("cut entry: %w", ErrDamaged)
	}
	e.Hash = chain(prev, id, head, body)
	e.Event, err = DecodeEvent(kind, body)
	return e, r.b, err
}

func chain(prev Hash, id ID, head, body []byte) Hash {
	sum := sha256.Sum256(body)
	var buf [512]byte
	b := append(buf[:0], hashTag...)
	b = append(b, prev[:]...)
	b = appendString(b, string(id))
	b = binary.AppendUvarint(b, uint64(len(head)))
	b = append(b, head...)
	b = append(b, sum[:]...)
	return sha256.Sum256(b)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes values off the front of b. After the first that does not fit, bad stays set and all values are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.skip(0)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// string is bytes as a part of text, which is all that there was to read.
func (r *reader) string(text string) string {
	n := len(r.bytes())
	end := len(text) - len(r.b)
	return text[end-n : end]
}

func (r *reader) skip(n int) {
	if n <= 0 {
		r.bad, r.b = true, nil
		return
	}
	r.b = r.b[n:]
}
