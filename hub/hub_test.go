package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parley/hub"
	"parley/journal"
	"parley/journal/memory"
	"parley/room"
	"parley/work"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lobby room.ID = "lobby"

var (
	maja = room.PersonIdentity("maja")
	tom  = room.PersonIdentity("tom")
)

// A world is a hub on a store in memory, and what a test does with it.
type world struct {
	t     *testing.T
	store journal.Store
	hub   *hub.Hub
	n     int
}

func newWorld(t *testing.T, cfg hub.Config) *world {
	t.Helper()
	if cfg.Store == nil {
		cfg.Store = memory.New()
	}
	h, err := hub.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, store: cfg.Store, hub: h}
}

func (w *world) close() {
	w.t.Helper()
	if err := w.hub.Close(); err != nil {
		w.t.Error(err)
	}
}

// do issues a command that must succeed.
func (w *world) do(by room.Identity, c room.Command) hub.Result {
	w.t.Helper()
	w.n++
	got, err := w.hub.Do(w.t.Context(), lobby, room.Meta{By: by, Cause: fmt.Sprintf("c:%d", w.n)}, c)
	if err != nil {
		w.t.Fatalf("%T by %s: %v", c, by, err)
	}
	return got
}

// open makes the lobby with a model Ada, and Maja and Tom in it.
func (w *world) open() {
	w.t.Helper()
	w.do(maja, room.Create{Epoch: "e", Name: "Lobby", Models: []room.Model{{ID: "ada", Name: "Ada"}}})
	w.do(maja, room.Join{Name: "Maja"})
	w.do(tom, room.Join{Name: "Tom"})
}

// A tail collects what one follower gets, in a goroutine of its own.
type tail struct {
	items []*hub.Item
	err   error
	stop  context.CancelFunc
	done  chan struct{}
}

func (w *world) follow(viewer room.Identity, from hub.Cursor) *tail {
	ctx, stop := context.WithCancel(w.t.Context())
	t := &tail{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		for it, err := range w.hub.Follow(ctx, lobby, viewer, from) {
			if err != nil {
				t.err = err
				return
			}
			t.items = append(t.items, it)
		}
	}()
	return t
}

// end stops the follower and returns what it got.
func (t *tail) end() []*hub.Item {
	t.stop()
	<-t.done
	return t.items
}

func offsets(items []*hub.Item) (list []room.Offset) {
	for _, it := range items {
		if it.Entry != nil {
			list = append(list, it.Entry.Offset)
		}
	}
	return list
}

func wantOffsets(t *testing.T, items []*hub.Item, first, last room.Offset) {
	t.Helper()
	got := offsets(items)
	if len(got) != int(last-first)+1 {
		t.Fatalf("offsets %v, want %d to %d", got, first, last)
	}
	for i, o := range got {
		if o != first+room.Offset(i) {
			t.Fatalf("offsets %v, want %d to %d", got, first, last)
		}
	}
}

func TestFollowersSeeEachEntryOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{Ring: 8})
		defer w.close()
		w.open()
		fresh := w.follow(tom, hub.Cursor{})
		synctest.Wait()
		view := fresh.items[0].View
		for range 100 {
			w.do(maja, room.PostMessage{Text: "hello"})
		}
		synctest.Wait()
		wantOffsets(t, fresh.end(), view.Offset+1, view.Offset+100)

		behind := w.follow(tom, hub.Cursor{Epoch: view.Cursor.Epoch, Offset: 2})
		synctest.Wait()
		items := behind.end()
		if !items[0].Resumed {
			t.Errorf("a known cursor was not resumed: %+v", items[0])
		}
		wantOffsets(t, items, 3, view.Offset+100)
	})
}

func TestACursorThatCannotBeResumedGetsAViewThatSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{})
		defer w.close()
		w.open()
		first := w.follow(tom, hub.Cursor{})
		synctest.Wait()
		epoch := first.end()[0].View.Cursor.Epoch
		for _, from := range []hub.Cursor{{Epoch: "other", Offset: 1}, {Epoch: epoch, Offset: 99}} {
			f := w.follow(tom, from)
			synctest.Wait()
			if v := f.end()[0].View; v == nil || v.Reset == "" {
				t.Errorf("cursor %v: want a view with a reason, got %+v", from, v)
			}
		}
	})
}

func TestTheSameCauseTwiceWritesOnce(t *testing.T) {
	w := newWorld(t, hub.Config{})
	defer w.close()
	w.open()
	meta := room.Meta{By: maja, Cause: "c:again"}
	first, err := w.hub.Do(t.Context(), lobby, meta, room.PostMessage{Text: "once"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.hub.Do(t.Context(), lobby, meta, room.PostMessage{Text: "once"})
	if err != nil || second.Offset != first.Offset || second.Entries != 0 {
		t.Errorf("second sending: %+v %v, want offset %d and no entries", second, err, first.Offset)
	}
	other, err := w.hub.Do(t.Context(), lobby, room.Meta{By: tom, Cause: "c:again"}, room.PostMessage{Text: "mine"})
	if err != nil || other.Offset == first.Offset {
		t.Errorf("somebody else's key: %+v %v, want an entry of its own", other, err)
	}
}

func TestAnUnknownRoomIsNotFound(t *testing.T) {
	w := newWorld(t, hub.Config{})
	defer w.close()
	_, err := w.hub.Do(t.Context(), "nowhere", room.Meta{By: maja}, room.PostMessage{Text: "hello?"})
	if room.CodeOf(err) != room.CodeNotFound {
		t.Errorf("do: %v", err)
	}
	for _, err := range w.hub.Follow(t.Context(), "nowhere", maja, hub.Cursor{}) {
		if room.CodeOf(err) != room.CodeNotFound {
			t.Errorf("follow: %v", err)
		}
	}
}

// A talker says three words a second until it is stopped, unless a word is "end".
type talker struct{ words []string }

func (k talker) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	reply := job.(room.ReplyJob).Reply
	text := ""
	for _, word := range k.words {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		desk.Signal(room.Said{Reply: room.ReplyRef{ID: reply}, Position: len(text), Text: word})
		text += word
	}
	_, err := desk.Do(ctx, room.CompleteReply{Reply: reply, Text: text})
	return err
}

func TestAReplyStreamsToAllAndBelongsToTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{Worker: talker{[]string{"one ", "two ", "three"}}})
		defer w.close()
		w.open()
		early := w.follow(tom, hub.Cursor{})
		synctest.Wait()
		asked := w.do(maja, room.PostMessage{Text: "@ada count"})
		time.Sleep(1500 * time.Millisecond)
		w.do(maja, room.Leave{})
		late := w.follow(tom, hub.Cursor{})
		time.Sleep(5 * time.Second)
		items := late.end()
		if said := items[0].View.Replies; len(said) != 1 || said[0].Text != "one " {
			t.Errorf("who joins in the middle sees %+v, want the words so far", said)
		}
		checkWords(t, items, "one ", "one two three", asked.Offset+1)
		checkWords(t, early.end(), "", "one two three", asked.Offset+1)
	})
}

// checkWords checks that the words heard, after those known, are the text of the completed reply.
func checkWords(t *testing.T, items []*hub.Item, known, want string, reply room.Offset) {
	t.Helper()
	for _, it := range items {
		if said, ok := it.Signal.(room.Said); ok {
			if said.Position != len(known) {
				t.Errorf("words at %d after %d bytes", said.Position, len(known))
			}
			known += said.Text
		}
		if it.Entry == nil {
			continue
		}
		if done, ok := it.Entry.Event.(room.ReplyCompleted); ok {
			if done.Text != want || known != want || done.Reply.ID != reply {
				t.Errorf("heard %q, completed %+v, want %q of reply %d", known, done, want, reply)
			}
			return
		}
	}
	t.Error("the reply did not complete")
}

func TestAnInterruptKeepsTheWordsSoFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{Worker: talker{[]string{"one ", "two ", "three"}}})
		defer w.close()
		w.open()
		f := w.follow(tom, hub.Cursor{})
		w.do(maja, room.PostMessage{Text: "@ada count"})
		time.Sleep(2500 * time.Millisecond)
		w.do(tom, room.InterruptReply{Model: "ada"})
		time.Sleep(5 * time.Second)
		items := f.end()
		last := items[len(items)-1].Entry
		if got, ok := last.Event.(room.ReplyInterrupted); !ok || got.Text != "one two " || last.By != tom {
			t.Errorf("the last entry is %+v, want an interrupt by Tom with the words so far", last)
		}
	})
}

func TestAJobIsResumedAfterARestartAndGivenUpInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		never := talker{make([]string, 1000)}
		w := newWorld(t, hub.Config{Store: store, Worker: never})
		w.open()
		w.do(maja, room.PostMessage{Text: "@ada count"})
		for range 3 {
			time.Sleep(2 * time.Second)
			w.close()
			w = newWorld(t, hub.Config{Store: store, Worker: never})
		}
		time.Sleep(time.Second)
		defer w.close()
		var attempts int
		var reason string
		for e, err := range store.Read(t.Context(), lobby, 0) {
			if err != nil {
				t.Fatal(err)
			}
			switch v := e.Event.(type) {
			case room.ReplyResumed:
				attempts = v.Attempt
			case room.ReplyFailed:
				reason = v.Reason
			}
		}
		if attempts != 3 || reason == "" {
			t.Errorf("last attempt %d, reason %q: want 3 attempts and a fact that gives up", attempts, reason)
		}
	})
}

// broken fails every job, in both ways there are.
type broken struct{ panics bool }

func (b broken) Do(context.Context, room.Job, work.Desk) error {
	if b.panics {
		panic("broken")
	}
	return errors.New("broken")
}

func TestAWorkerThatNeverSucceedsIsGivenUp(t *testing.T) {
	for _, worker := range []broken{{panics: false}, {panics: true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, hub.Config{Worker: worker})
			defer w.close()
			w.open()
			w.do(maja, room.PostMessage{Text: "@ada count"})
			time.Sleep(10 * time.Second)
			v, err := w.hub.View(t.Context(), lobby, maja, 10)
			if err != nil || len(v.Replies) != 0 {
				t.Errorf("replies %v, err %v: want none left", v.Replies, err)
			}
		})
	}
}

func TestAReplyThatNobodyGivesExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{})
		defer w.close()
		w.open()
		f := w.follow(tom, hub.Cursor{})
		w.do(maja, room.PostMessage{Text: "@ada count"})
		time.Sleep(room.DefaultRules().ReplyTime + time.Second)
		items := f.end()
		if got, ok := items[len(items)-1].Entry.Event.(room.ReplyFailed); !ok {
			t.Errorf("the last entry is %+v, want ReplyFailed", got)
		}
	})
}

func TestPresenceIsToldOnceAndJoiningIsAFact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{})
		defer w.close()
		w.open()
		f := w.follow(maja, hub.Cursor{})
		synctest.Wait()
		one, _ := w.hub.Enter(t.Context(), lobby, "tom")
		two, _ := w.hub.Enter(t.Context(), lobby, "tom")
		synctest.Wait()
		one()
		two()
		synctest.Wait()
		three, _ := w.hub.Enter(t.Context(), lobby, "zoe")
		w.do(room.PersonIdentity("zoe"), room.Join{})
		synctest.Wait()
		three()
		synctest.Wait()
		var got []string
		for _, it := range f.end()[1:] {
			switch v := it.Signal.(type) {
			case room.Presence:
				got = append(got, fmt.Sprint(v.Person.ID, v.Online))
			}
			if it.Entry != nil {
				got = append(got, fmt.Sprintf("%T", it.Entry.Event))
			}
		}
		want := "[tomtrue tomfalse room.PersonJoined zoetrue zoefalse]"
		if fmt.Sprint(got) != want {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}

func TestAnIdleRoomIsClosedAndOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hub.Config{IdleAfter: time.Minute})
		defer w.close()
		w.open()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := hub.OpenRooms(w.hub); n != 0 {
			t.Errorf("%d rooms are open, want none", n)
		}
		w.do(maja, room.PostMessage{Text: "still here"})
	})
}

func TestHistoryPagesBackwards(t *testing.T) {
	w := newWorld(t, hub.Config{Ring: 4})
	defer w.close()
	w.open()
	for i := range 25 {
		w.do(maja, room.PostMessage{Text: fmt.Sprint(i)})
		w.do(maja, room.Describe{Description: new(fmt.Sprint("about ", i))})
	}
	var texts []string
	for before := room.Offset(0); ; {
		page, more, err := w.hub.History(t.Context(), lobby, maja, before, 7)
		if err != nil {
			t.Fatal(err)
		}
		var part []string
		for _, m := range page {
			part = append(part, m.Text)
		}
		texts = append(part, texts...)
		if before = more; more == 0 {
			break
		}
	}
	want := ""
	for i := range 25 {
		want += fmt.Sprint(i, " ")
	}
	if got := fmt.Sprint(texts); got != "["+want[:len(want)-1]+"]" {
		t.Errorf("history %v, want each of 25 once, in order", got)
	}
}

// A forgetful store loses the answer to an append, once: after it wrote, or instead of writing.
type forgetful struct {
	journal.Store
	before, after bool
}

var errLost = errors.New("no answer")

func (f *forgetful) Append(ctx context.Context, b journal.Batch) error {
	if f.before {
		f.before = false
		return errLost
	}
	err := f.Store.Append(ctx, b)
	if f.after {
		f.after = false
		return errors.Join(err, errLost)
	}
	return err
}

func TestAnAnonymousVoteLandsOnceAndNamesNobody(t *testing.T) {
	rules := room.DefaultRules()
	rules.Secret = "hush"
	store := &forgetful{Store: memory.New()}
	w := newWorld(t, hub.Config{Store: store, Rules: rules})
	defer w.close()
	w.open()
	poll := w.do(maja, room.OpenPoll{
		Question: "Who?", Options: []room.Option{{Text: "left"}, {Text: "right"}}, Anonymous: true,
	}).Offset
	send := func(cause string, option int) (hub.Result, error) {
		return w.hub.Do(t.Context(), lobby, room.Meta{By: tom, Cause: cause}, room.CastVote{Poll: poll, Options: []int{option}})
	}
	store.after = true
	first, err := send("c:first", 1)
	if err != nil || first.Offset != poll+2 {
		t.Fatalf("a vote whose answer was lost: %+v, %v, want offset %d", first, err, poll+2)
	}
	store.before = true
	if got, err := send("c:second", 2); room.CodeOf(err) != room.CodeUnavailable {
		t.Errorf("a vote that was not written: %+v, %v", got, err)
	}
	second, err := send("c:second", 2)
	if err != nil || second.Offset != first.Offset+1 || second.Entries != 1 {
		t.Errorf("sent again: %+v, %v, want an entry at %d", second, err, first.Offset+1)
	}
	for cause, want := range map[string]room.Offset{"c:first": first.Offset, "c:second": second.Offset} {
		if got, err := send(cause, 1); err != nil || got.Offset != want || got.Entries != 0 {
			t.Errorf("%s again: %+v, %v, want offset %d and no entries", cause, got, err, want)
		}
	}
	for e, err := range store.Read(t.Context(), lobby, poll) {
		if err != nil {
			t.Fatal(err)
		}
		if _, vote := e.Event.(room.VoteCast); vote && (e.By == tom || strings.Contains(e.Cause, "c:")) {
			t.Errorf("entry %d by %s, %s: an anonymous vote tells whose it is", e.Offset, e.By, e.Cause)
		}
	}
}

// A deadline is kept though nobody is there: the room is closed by then, and its server may be another one.
func TestADeadlineOpensARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := hub.Config{Store: memory.New(), Worker: broken{}, IdleAfter: time.Minute}
		w := newWorld(t, cfg)
		w.open()
		options := []room.Option{{Text: "yes"}, {Text: "no"}}
		var deadlines []time.Time
		for _, after := range []time.Duration{10 * time.Minute, time.Hour} {
			deadlines = append(deadlines, time.Now().Add(after))
			w.do(maja, room.OpenPoll{Question: "Tea?", Options: options, Deadline: time.Now().Add(after)})
		}
		time.Sleep(11 * time.Minute)
		w.close()
		w = newWorld(t, cfg)
		defer w.close()
		time.Sleep(time.Hour)
		var closed []time.Time
		for e, err := range cfg.Store.Read(t.Context(), lobby, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := e.Event.(room.PollClosed); ok {
				closed = append(closed, e.At)
			}
		}
		if len(closed) != 2 || closed[0].Sub(deadlines[0]) > 10*time.Second || closed[1].Sub(deadlines[1]) > 10*time.Second {
			t.Errorf("closed at %v, want at %v", closed, deadlines)
		}
	})
}

// A heedless worker asks for a summary and never writes it. It remembers what each attempt at it might take.
type heedless struct{ allowed chan room.Allowance }

func (h heedless) Do(ctx context.Context, job room.Job, desk work.Desk) error {
	switch j := job.(type) {
	case room.ReplyJob:
		_, _ = desk.Do(ctx, room.RequestSummary{Upto: j.Reply})
		_, err := desk.Do(ctx, room.CompleteReply{Reply: j.Reply, Text: "done"})
		return err
	case room.SummaryJob:
		h.allowed <- j.Allowance
	}
	return errors.New("forgotten")
}

// An attempt at a job is told what it may take itself, not what the one before might.
func TestAnotherAttemptHasAnotherAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := heedless{make(chan room.Allowance, 10)}
		w := newWorld(t, hub.Config{Worker: h})
		defer w.close()
		w.open()
		for range 6 {
			w.do(maja, room.PostMessage{Text: "hm"})
		}
		w.do(maja, room.SetPolicy{Policy: room.Policy{Total: room.Allowance{Cost: 12 * room.Dollar / 10}}})
		w.do(maja, room.PostMessage{Text: "@ada sum up"})
		time.Sleep(time.Minute)
		synctest.Wait()
		var got []room.Cost
		for len(h.allowed) > 0 {
			got = append(got, (<-h.allowed).Cost)
		}
		if want := []room.Cost{room.Dollar / 2, room.Dollar / 2, room.Dollar / 5}; !slices.Equal(got, want) {
			t.Errorf("allowed %v, want %v", got, want)
		}
	})
}
