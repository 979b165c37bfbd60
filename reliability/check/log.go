// Package check judges what is left when everything has ended: the logs on disk, what was acknowledged and what
// readers saw. It trusts none of them; a log is judged by the words of its format.
package check

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"parley/journal"
	"parley/room"
)

// A Log is what a store holds of a room.
type Log struct {
	Room    room.ID
	Entries []room.Entry
	Broken  error // why what follows the entries cannot be trusted
}

// Read reads a log. Its offsets have to be 1, 2, 3 ... and its hashes those that the format asks for.
func Read(ctx context.Context, store journal.Store, id room.ID) Log {
	l := Log{Room: id}
	var prev room.Hash
	for e, err := range store.Read(ctx, id, 0) {
		switch want := hash(prev, &e); {
		case err != nil:
			l.Broken = err
		case e.Offset != room.Offset(len(l.Entries)+1):
			l.Broken = fmt.Errorf("the entry after %d has offset %d", len(l.Entries), e.Offset)
		case e.Hash != want:
			l.Broken = fmt.Errorf("the hash of entry %d is %v, not %v", e.Offset, e.Hash, want)
		}
		if l.Broken != nil {
			return l
		}
		prev = e.Hash
		l.Entries = append(l.Entries, e)
	}
	return l
}

// hash is what the format says (room.Hash, room.AppendEntry): SHA-256 over a tag, the hash before, the room, the head
// of the entry and the SHA-256 of its event's bytes.
func hash(prev room.Hash, e *room.Entry) room.Hash {
	kind, body, err := room.EncodeEvent(e.Event)
	if err != nil {
		return room.Hash{}
	}
	head := binary.AppendUvarint(nil, uint64(e.Offset))
	head = binary.AppendVarint(head, e.At.UnixNano())
	head = text(text(head, string(e.By)), e.Cause)
	head = binary.AppendUvarint(head, uint64(len(e.To)))
	for _, to := range e.To {
		head = text(head, string(to))
	}
	head = text(head, kind)
	sum := sha256.Sum256(body)
	all := append([]byte("parley entry 1\n"), prev[:]...)
	all = text(text(all, string(e.Room)), string(head))
	return sha256.Sum256(append(all, sum[:]...))
}

func text(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// A Said is a message and the entry that holds it.
type Said struct {
	Offset uint64
	Text   string
}

// Said lists the messages of the log.
func (l Log) Said() []Said {
	var list []Said
	for _, e := range l.Entries {
		s := Said{Offset: uint64(e.Offset)}
		switch v := e.Event.(type) {
		case room.MessagePosted:
			s.Text = v.Text
		case room.PollOpened:
			s.Text = v.Question
		case room.AutopilotStarted:
			s.Text = v.Goal
		case room.AutopilotGuided:
			s.Text = v.Text
		case room.ReplyCompleted:
			s.Text = v.Text
		case room.ReplyInterrupted:
			s.Text = v.Text
		case room.ReplyFailed:
			s.Text = v.Text
		}
		if s.Text != "" {
			list = append(list, s)
		}
	}
	return list
}
