package reliability

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"

	"parley/reliability/wire"

	roompb "parley/proto/gen/api/room"
)

// A chair opens polls, one after the other: each once the ballots of the one before are in and it is closed. What was
// not acknowledged when the server died is sent again.
type chair struct {
	room, name string
	models     int
	acks       *atomic.Int64 // of polls and votes
	ending     chan struct{} // closed: open no new ones

	n      int    // the poll under way
	id     string // empty until it is acknowledged
	over   int    // its ballots that have an end
	opened []uint64
}

func (c *chair) key() string { return fmt.Sprintf("%s-%d", c.name, c.n) }

// live presides with one server.
func (c *chair) live(ctx context.Context, conn *grpc.ClientConn) error {
	s, err := wire.Enter(ctx, conn, &roompb.JoinRoom{RoomId: c.room, UserId: c.name})
	if err != nil {
		return err
	}
	defer s.Close()
	e, err := s.Recv()
	if err == nil {
		err = answered(c.room, e)
	}
	if err == nil {
		err = c.resume(s, e.GetRoomState())
	}
	for err == nil {
		if e, err = s.Recv(); err == nil {
			err = c.take(s, e)
		}
	}
	return err
}

// resume goes on where the room is.
func (c *chair) resume(s *wire.Stream, state *roompb.RoomState) error {
	if c.n == 0 {
		return c.open(s)
	}
	for _, p := range state.GetClosedPolls() {
		if p.GetQuestion() == c.key() {
			return c.open(s)
		}
	}
	for _, p := range state.GetPolls() {
		if p.GetQuestion() != c.key() {
			continue
		}
		c.over = len(p.GetMissed())
		for _, o := range p.GetOptions() {
			c.over += len(o.GetVotes())
		}
		c.know(p.GetPollId())
		return c.close(s)
	}
	return s.Send(createPoll(c.key(), fourOptions(c.key())))
}

// open opens the next poll, if there is to be one.
func (c *chair) open(s *wire.Stream) error {
	select {
	case <-c.ending:
		return errDone
	default:
	}
	c.n++
	c.id, c.over = "", 0
	return s.Send(createPoll(c.key(), fourOptions(c.key())))
}

// know notes that the poll is stored.
func (c *chair) know(id string) {
	if c.id == "" {
		offset, _ := strconv.ParseUint(id, 10, 64)
		c.id, c.opened = id, append(c.opened, offset)
		c.acks.Add(1)
	}
}

// close closes the poll once its ballots are in.
func (c *chair) close(s *wire.Stream) error {
	if c.over < c.models {
		return nil
	}
	return s.Send(closePoll(c.key()+"-close", c.id))
}

func (c *chair) take(s *wire.Stream, e *roompb.ServerEvent) error {
	if key, offset, ok := wire.Acknowledged(e); ok && key == c.key() {
		c.know(strconv.FormatUint(offset, 10))
	}
	switch {
	case e.GetPollVoted() != nil && e.GetPollVoted().GetPollId() == c.id, e.GetBallotMissed() != nil && e.GetBallotMissed().GetPollId() == c.id:
		c.over++
		c.acks.Add(1)
		return c.close(s)
	case e.GetPollClosed() != nil && e.GetPollClosed().GetPollId() == c.id:
		return c.open(s)
	case e.GetError() != nil:
		return fmt.Errorf("%s: %s", c.key(), e.GetError())
	}
	return nil
}
