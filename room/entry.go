package room

import (
	"slices"
	"strings"
	"time"
)

// ID names a room: 1 to 64 characters of A-Z a-z 0-9 _ and -.
type ID string

// Offset is the place of an entry in its room's log. The first is 1; 0 means before the first. It also names
// whatever the entry brought into being: a message, a reply, a poll.
type Offset uint64

// Identity says who acted: a person, a model or the server itself. The zero Identity is nobody.
type Identity string

// System is the server: timers, recovery.
const System Identity = "system"

const (
	personPrefix = "person/"
	modelPrefix  = "model/"
)

// PersonIdentity is the identity of the person with this user id.
func PersonIdentity(id PersonID) Identity { return Identity(personPrefix + string(id)) }

// ModelIdentity is the identity of the model with this id.
func ModelIdentity(id ModelID) Identity { return Identity(modelPrefix + string(id)) }

// Person returns the user id, if the identity is a person's.
func (i Identity) Person() (PersonID, bool) {
	if id, ok := strings.CutPrefix(string(i), personPrefix); ok {
		return PersonID(id), true
	}
	return "", false
}

// Model returns the model's id, if the identity is a model's.
func (i Identity) Model() (ModelID, bool) {
	if id, ok := strings.CutPrefix(string(i), modelPrefix); ok {
		return ModelID(id), true
	}
	return "", false
}

// An Entry is one fact of a room's log. It is the only envelope: in memory, on disk, and mapped on the wire.
type Entry struct {
	Room   ID
	Offset Offset
	At     time.Time  // UTC
	By     Identity   // who caused it
	Cause  string     // the key of the command that led to it; equal for all entries of one command
	To     []Identity // who may see it; empty means everyone
	Event  Event
	Hash   Hash // of this entry and, through its predecessor's hash, of all before it
}

// VisibleTo reports whether viewer may see the entry.
func (e *Entry) VisibleTo(viewer Identity) bool { return visible(e.To, viewer) }

// visible: the server makes for everyone what it makes, so it is shown what everyone may see and no more.
func visible(to []Identity, viewer Identity) bool {
	return len(to) == 0 || viewer != System && slices.Contains(to, viewer)
}

// An Event is what an Entry says happened. Its name is in the past tense. An event tells all that a reader needs to
// show it, so that a page of history needs no State beside it.
type Event interface {
	// apply folds the entry e, whose event it is, into the State.
	apply(s *State, e *Entry)
}

// A Command is a wish that something happen. Its name is imperative.
type Command interface {
	// decide turns it into events, or refuses it, for a room that exists unless it creates one.
	decide(s *State, m Meta) ([]Event, error)
}

// A Signal tells of something that nobody would miss after a restart. Signals are never stored and may be lost;
// of those with one Key the newest counts.
type Signal interface {
	// Key names what the signal is about.
	Key() string
}

// A Job is work that the State wants done outside the room, such as asking a model. It is wanted as long as Jobs
// yields it, whoever does it.
type Job interface {
	// ID names the job. It derives from the offset that asked for it, so it is the same after a restart.
	ID() string
	// By is the identity under which the job acts in the room.
	By() Identity
	// Retry is the command that counts another attempt, issued before the job is started again.
	Retry() Command
}
