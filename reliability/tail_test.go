package reliability

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	"parley/reliability/check"
	"parley/reliability/wire"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// A tail reads a room to its end, going on by its cursor.
type tail struct {
	room   string
	last   string // the text after which it is done
	place  wire.Place
	after  uint64 // where it began
	saw    []check.Said
	votes  []check.Vote
	resets int
	bent   []string // what no sound server does
	joined bool     // the last stream was answered with a resume
	done   bool
}

func newTail(room, last string) *tail { return &tail{room: room, last: last} }

func (r *tail) join() *roompb.JoinRoom {
	return &roompb.JoinRoom{RoomId: r.room, UserId: "tail", Role: roompb.Role_VIEWER, Cursor: r.place.Cursor()}
}

// look takes the room's state once, to go on from there.
func (r *tail) look(ctx context.Context, conn *grpc.ClientConn) error {
	s, err := wire.Enter(ctx, conn, r.join())
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := s.Recv()
	if err != nil {
		return err
	}
	r.begin(e, nil)
	r.place.Take(e)
	return nil
}

// live reads from one server.
func (r *tail) live(ctx context.Context, conn *grpc.ClientConn) error {
	join := r.join()
	r.joined = false
	s, err := wire.Enter(ctx, conn, join)
	if err != nil {
		return err
	}
	defer s.Close()
	for first := true; !r.done; first = false {
		e, err := s.Recv()
		if err != nil {
			return err
		}
		if first {
			if err := answered(r.room, e); err != nil {
				return err
			}
			r.begin(e, join.GetCursor())
		}
		for _, e := range r.place.Take(e) {
			r.take(e)
		}
	}
	return errDone
}

// begin looks at the answer to the join.
func (r *tail) begin(e *roompb.ServerEvent, from *roompb.Cursor) {
	switch state := e.GetRoomState(); {
	case from == nil && state != nil:
		r.after = state.GetCursor().GetOffset()
		for _, m := range state.GetMessages() {
			r.done = r.done || m.GetContent() == r.last
		}
	case from != nil && e.GetResumed() != nil:
		r.joined = true
	case from != nil && state != nil:
		r.resets++
		for _, m := range state.GetMessages() {
			r.done = r.done || m.GetContent() == r.last
		}
	default:
		r.bent = append(r.bent, fmt.Sprintf("the join after %v was answered with %v", from, e))
	}
}

func (r *tail) take(e *roompb.ServerEvent) {
	if m := e.GetMessageReceived().GetMessage(); m != nil {
		r.saw = append(r.saw, check.Said{Offset: e.GetOffset(), Text: m.GetContent()})
		r.done = r.done || m.GetContent() == r.last
	}
	if v := e.GetPollVoted(); v != nil && !v.GetContinued() {
		r.votes = append(r.votes, seenVote(e.GetOffset(), v))
	}
}

// seenVote is a vote as a reader is told of it.
func seenVote(offset uint64, v *roompb.PollVoted) check.Vote {
	poll, _ := strconv.ParseUint(v.GetPollId(), 10, 64)
	saw := check.Vote{Offset: offset, Poll: room.Offset(poll)}
	switch by := v.GetVote(); by.GetVoterType() {
	case roompb.ParticipantType_HUMAN:
		saw.Voter = room.PersonIdentity(room.PersonID(by.GetVoterId()))
	case roompb.ParticipantType_LLM:
		saw.Voter = room.ModelIdentity(room.ModelID(by.GetVoterId()))
	case roompb.ParticipantType_PARTICIPANT_TYPE_UNSPECIFIED:
	}
	for _, id := range v.GetOptionIds() {
		_, number, _ := strings.Cut(id, ".")
		n, _ := strconv.Atoi(number)
		saw.Options = append(saw.Options, n)
	}
	return saw
}

// sayLast waits until no reply is under way in a room that nobody writes to any more, and then says the last word.
func sayLast(ctx context.Context, conn *grpc.ClientConn, room, text string) error {
	s, err := wire.Enter(ctx, conn, &roompb.JoinRoom{RoomId: room, UserId: "last"})
	if err != nil {
		return err
	}
	defer s.Close()
	open := make(map[string]bool)
	for first := true; first || len(open) > 0; first = false {
		e, err := s.Recv()
		if err == nil {
			err = answered(room, e)
		}
		if err != nil {
			return err
		}
		for _, r := range e.GetRoomState().GetReplies() {
			open[r.GetMessageId()] = true
		}
		delete(open, e.GetLlmDone().GetMessageId())
	}
	if err := s.Send(wire.Post(text, text)); err != nil {
		return err
	}
	for {
		e, err := s.Recv()
		if err != nil {
			return err
		}
		if key, _, ok := wire.Acknowledged(e); ok && key == text {
			return nil
		}
	}
}
