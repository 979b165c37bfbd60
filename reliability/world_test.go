package reliability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"parley/hub"
	"parley/reliability/bend"
	"parley/reliability/wire"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// A world is a room in which random things happen, one after the other, and the views of it.
type world struct {
	t      testing.TB
	rand   *rand.Rand
	server *server
	puppet *puppet
	conn   *grpc.ClientConn // to the server
	watch  *grpc.ClientConn // for the views: perhaps through a bent one
	room   string
	seats  map[string]*seat // of people who are online
	views  []*view
	steps  []string
}

// A view is a state taken after a step, and what it was told since.
type view struct {
	fold *fold
	seat *seat
	from int
	cut  int // the step after which its connection broke; -1 if it never did
}

func newWorld(t testing.TB, random *rand.Rand) *world { return newBentWorld(t, random, nil) }

func newBentWorld(t testing.TB, random *rand.Rand, rule bend.Rule) *world {
	p := newPuppet()
	s := start(t, serverConfig{worker: p, retry: time.Millisecond})
	w := &world{t: t, rand: random, server: s, puppet: p, conn: dial(t, s.addr), seats: make(map[string]*seat)}
	w.watch = w.conn
	if rule != nil {
		bent, err := bend.New(w.conn, rule)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bent.Close)
		w.watch = dial(t, bent.Addr())
	}
	w.room = mustRoom(t, w.conn, "m0")
	w.seats["admin"] = sit(t, w.conn, &roompb.JoinRoom{RoomId: w.room, UserId: "admin"})
	sit(t, w.conn, w.eye(nil)) // whoever looks is always there
	return w
}

// eye is who looks.
func (w *world) eye(from *roompb.Cursor) *roompb.JoinRoom {
	return &roompb.JoinRoom{RoomId: w.room, UserId: "eye", Role: roompb.Role_VIEWER, Cursor: from}
}

// play lets random things happen. From time to time a view is taken, and one is broken.
func (w *world) play(steps int) {
	for range steps {
		w.steps = append(w.steps, w.step())
		if w.rand.IntN(4) == 0 {
			s := sit(w.t, w.watch, w.eye(nil))
			v := &view{fold: new(fold), seat: s, from: len(w.steps), cut: -1}
			v.fold.take(&roompb.ServerEvent{Payload: &roompb.ServerEvent_RoomState{RoomState: s.state}})
			w.views = append(w.views, v)
		}
		if w.rand.IntN(10) == 0 && len(w.views) > 0 {
			w.views[w.rand.IntN(len(w.views))].breakOff(len(w.steps))
		}
	}
}

// breakOff gives the view's connection up wherever it is.
func (v *view) breakOff(step int) {
	if v.cut >= 0 {
		return
	}
	v.seat.Close()
	for e := range v.seat.events {
		v.fold.take(e)
	}
	v.cut = step
}

// settle resumes what is broken and has every view read all there is.
func (w *world) settle() {
	for _, v := range w.views {
		if v.cut < 0 {
			continue
		}
		v.seat = open(w.t, w.watch)
		v.seat.send(wire.Join(w.eye(v.fold.cursor())))
		v.fold.take(v.seat.next())
	}
	// Words come after other signals, so the second mark is behind all that was there before the first.
	for _, mark := range []string{"first", "second"} {
		w.server.hub.Signal(room.ID(w.room), room.Typing{Person: room.PersonID(mark), On: true})
		for _, v := range w.views {
			for e := new(roompb.ServerEvent); e.GetUserTyping().GetUserId() != mark; {
				e = v.seat.next()
				v.fold.take(e)
			}
		}
	}
}

// person chooses somebody.
func (w *world) person() string { return []string{"admin", "bea", "cem", "dora"}[w.rand.IntN(4)] }

// do gives a command. Refusals are part of the game.
func (w *world) do(who string, c room.Command) {
	w.as(room.PersonIdentity(room.PersonID(who)), c)
}

func (w *world) as(by room.Identity, c room.Command) {
	_, err := w.server.hub.Do(w.t.Context(), room.ID(w.room), room.Meta{By: by}, c)
	if code := room.CodeOf(err); err != nil && (code == room.CodeInternal || code == room.CodeUnavailable) {
		w.t.Fatalf("%T: %v", c, err)
	}
}

// step does one random thing and says what.
func (w *world) step() string {
	who, n := w.person(), w.rand.IntN(1000)
	switch w.rand.IntN(24) {
	case 0, 1:
		return w.come(who)
	case 2:
		return w.leaveSeat(who)
	case 3:
		return w.rename(who, fmt.Sprintf("%s %d", who, n))
	case 4:
		return w.quit(who)
	case 5:
		other := w.person()
		w.do(who, room.SetRole{Person: room.PersonID(other), Role: []room.Role{room.Admin, room.Member, room.Viewer}[n%3]})
		return who + " sets the role of " + other
	case 6:
		text, seen := fmt.Sprint("description ", n), []room.Visibility{room.Public, room.Private}[n%2]
		w.do(who, room.Describe{Description: &text, Visibility: &seen})
		return who + " describes the room"
	case 7:
		w.do(who, room.AddModel{Model: room.Model{ID: room.ModelID(fmt.Sprintf("m%d", n%4))}})
		return who + " adds a model"
	case 8:
		title := fmt.Sprint("title ", n)
		w.do(who, room.UpdateModel{ID: room.ModelID(fmt.Sprintf("m%d", n%4)), Title: &title})
		return who + " updates a model"
	case 9:
		if n%3 == 0 {
			w.do(who, room.RemoveModel{ID: room.ModelID(fmt.Sprintf("m%d", n%4))})
			return who + " removes a model"
		}
		fallthrough
	case 10, 11:
		w.do(who, room.PostMessage{Text: fmt.Sprintf("%s asks @m%d %d", who, n%4, n)})
		return who + " asks a model"
	case 12:
		w.do(who, room.PostMessage{Text: fmt.Sprint(who, " says ", n)})
		return who + " posts"
	case 13, 14, 15, 16, 17, 18:
		return w.council(who, n)
	}
	return w.reply(who, n)
}

func (w *world) come(who string) string {
	if w.seats[who] == nil {
		w.seats[who] = sit(w.t, w.conn, &roompb.JoinRoom{RoomId: w.room, UserId: who})
	}
	return who + " comes"
}

// quit ends a membership, and with it the seat.
func (w *world) quit(who string) string {
	w.do(who, room.Leave{})
	if s := w.seats[who]; s != nil {
		w.emptied(who)
	}
	return who + " leaves"
}

// emptied waits until somebody's seat is given up and the room knows it.
func (w *world) emptied(who string) {
	_ = w.seats[who].ended()
	delete(w.seats, who)
	w.poll(func() bool { return !w.look().Online[room.PersonID(who)] })
}

// rename has somebody come a second time, under another name.
func (w *world) rename(who, name string) string {
	w.come(who)
	sit(w.t, w.conn, &roompb.JoinRoom{RoomId: w.room, UserId: who, DisplayName: name}).leave()
	return who + " is renamed"
}

func (w *world) leaveSeat(who string) string {
	if s := w.seats[who]; s != nil {
		s.Close()
		w.emptied(who)
	}
	return who + " goes"
}

// reply moves a running reply on.
func (w *world) reply(who string, n int) string {
	v := w.look()
	if len(v.Replies) == 0 {
		return "nobody replies"
	}
	r := v.Replies[n%len(v.Replies)].Ref
	job := room.ReplyJob{Reply: r.ID, Model: r.Model}.ID()
	switch n % 10 {
	case 0:
		w.puppet.end(job, room.CompleteReply{Reply: r.ID, Text: fmt.Sprint("answer ", n), Usage: usage(n)})
		return fmt.Sprintf("reply %d is completed", r.ID)
	case 1:
		w.puppet.end(job, room.FailReply{Reply: r.ID, Text: fmt.Sprint("half ", n), Reason: "it broke"})
		return fmt.Sprintf("reply %d fails", r.ID)
	case 2:
		w.puppet.end(job, room.DeclineReply{Reply: r.ID, Reason: "no"})
		return fmt.Sprintf("reply %d is declined", r.ID)
	case 3:
		w.do(who, room.InterruptReply{Reply: r.ID})
		return fmt.Sprintf("%s interrupts reply %d", who, r.ID)
	case 4:
		w.lose(job)
		return fmt.Sprintf("reply %d loses its worker", r.ID)
	}
	w.puppet.say(job, fmt.Sprint("words ", n, " "))
	return fmt.Sprintf("reply %d says something", r.ID)
}

// lose takes the worker from a job and waits until the log tells that it starts again, or was given up.
func (w *world) lose(job string) {
	before := w.look().Offset
	w.puppet.lose(job)
	w.poll(func() bool { return w.look().Offset > before })
}

// look shows the room from within.
func (w *world) look() hub.View {
	v, err := w.server.hub.View(context.Background(), room.ID(w.room), room.System, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// poll waits until something holds.
func (w *world) poll(holds func() bool) {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-look.C:
		case <-late:
			w.t.Fatal("the room stays as it is")
		}
	}
}

// payloads are the events that change what a client knows. Words may be lost with no harm to what is kept.
func payloads() []protoreflect.FieldDescriptor {
	signals := []protoreflect.Name{"room_state", "user_typing", "error", "pong", "accepted", "resumed", "reply_withheld"}
	var list []protoreflect.FieldDescriptor
	fields := (&roompb.ServerEvent{}).ProtoReflect().Descriptor().Oneofs().Get(0).Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); !slices.Contains(signals, f.Name()) {
			list = append(list, f)
		}
	}
	return list
}
