package reliability

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"parley/llm/openai"
	"parley/reliability/check"
	"parley/reliability/wire"
	"parley/room"
	"parley/seam"
	"parley/work/reply"

	roompb "parley/proto/gen/api/room"
)

// A stage is a room with two models behind a provider, and whoever sits in it.
type stage struct {
	t        testing.TB
	server   *server
	conn     *grpc.ClientConn
	room     string
	provider *upstream
}

func newStage(t *testing.T, silence time.Duration) *stage {
	t.Helper()
	provider := newUpstream(t)
	model, err := openai.New(openai.Config{BaseURL: provider.url, Clock: seam.Real()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = model.Close() })
	worker, err := reply.New(reply.Config{
		Model: model, Clock: seam.Real(), Log: slog.New(slog.DiscardHandler), Silence: silence, MaxDepth: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, serverConfig{worker: worker})
	conn := dial(t, s.addr)
	return &stage{t: t, server: s, conn: conn, room: mustRoom(t, conn, "ada", "bob"), provider: provider}
}

func (st *stage) sit(user string) *seat {
	st.t.Helper()
	return sit(st.t, st.conn, &roompb.JoinRoom{RoomId: st.room, UserId: user})
}

// says has the provider say a word, and waits until a seat has heard it.
func (c *call) says(s *seat, word string) *roompb.LLMChunk {
	s.t.Helper()
	c.words <- word
	return s.until(func(e *roompb.ServerEvent) bool { return e.GetLlmChunk() != nil }).GetLlmChunk()
}

// done waits for the end of a reply and returns the message it became, nil if none, and the error told of it.
func (s *seat) done(id string) (m *roompb.Message, code string) {
	s.t.Helper()
	s.until(func(e *roompb.ServerEvent) bool {
		if got := e.GetMessageReceived().GetMessage(); got.GetMessageId() == id {
			m = got
		}
		if e.GetError() != nil {
			code = e.GetError().GetCode()
		}
		return e.GetLlmDone().GetMessageId() == id
	})
	return m, code
}

func (s *seat) thinking() string {
	s.t.Helper()
	return s.until(func(e *roompb.ServerEvent) bool { return e.GetLlmThinking() != nil }).GetLlmThinking().GetMessageId()
}

// Words arrive one by one, also for who comes in the middle; the asker may leave.
func TestReplyWordByWord(t *testing.T) {
	st := newStage(t, patience)
	asker, member := st.sit("asker"), st.sit("member")
	asker.say("k", "@ada what is new?")
	c, id := st.provider.next(t), member.thinking()
	said := ""
	for n := range 5 {
		word := fmt.Sprint("word", n, " ")
		if got := c.says(member, word); got.GetContent() != word || got.GetPosition() != uint64(len(said)) || got.GetMessageId() != id {
			t.Fatalf("the provider said %q at %d, the room heard %v", word, len(said), got)
		}
		said += word
	}
	asker.leave()
	late := st.sit("late")
	if r := late.state.GetReplies(); len(r) != 1 || r[0].GetContent() != said || r[0].GetMessageId() != id {
		t.Fatalf("who comes in the middle is shown %v, want %q", r, said)
	}
	if got := c.says(late, "end"); got.GetPosition() != uint64(len(said)) {
		t.Errorf("who came in the middle heard %v, want it at %d", got, len(said))
	}
	close(c.finish)
	for _, s := range []*seat{member, late} {
		if m, _ := s.done(id); m.GetContent() != said+"end" || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_COMPLETE {
			t.Errorf("the reply became %v", m)
		}
	}
}

// Anybody may interrupt: the provider is hung up on, and the words so far stay.
func TestReplyInterrupted(t *testing.T) {
	st := newStage(t, patience)
	asker, member := st.sit("asker"), st.sit("member")
	asker.say("k", "@ada tell me a long story")
	c, id := st.provider.next(t), member.thinking()
	c.says(member, "Once ")
	c.says(member, "upon ")
	member.send(wire.Interrupt("ada", ""))
	c.hungUp(t)
	for _, s := range []*seat{asker, member} {
		m, _ := s.done(id)
		if m.GetContent() != "Once upon " || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_INTERRUPTED || m.GetReplyTo() == "" {
			t.Errorf("the interrupted reply became %v", m)
		}
	}
}

// Two replies of one model at once do not mix, and one of them can be stopped alone.
func TestTwoRepliesOfOneModel(t *testing.T) {
	st := newStage(t, patience)
	asker, member := st.sit("asker"), st.sit("member")
	calls := make([]*call, 2)
	ids := make([]string, 2)
	for n, name := range []string{"apples", "pears"} {
		asker.say(name, "@ada tell me about "+name)
		calls[n], ids[n] = st.provider.next(t), member.thinking()
	}
	for n := range 6 {
		if got := calls[n%2].says(member, fmt.Sprint(n%2)); got.GetMessageId() != ids[n%2] {
			t.Fatalf("words of reply %s came as %v", ids[n%2], got)
		}
	}
	member.send(wire.Interrupt("ada", ids[0]))
	calls[0].hungUp(t)
	if m, _ := member.done(ids[0]); m.GetContent() != "000" || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_INTERRUPTED {
		t.Errorf("the interrupted one became %v", m)
	}
	calls[1].says(member, "1")
	close(calls[1].finish)
	if m, _ := member.done(ids[1]); m.GetContent() != "1111" || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_COMPLETE {
		t.Errorf("the other one became %v", m)
	}
}

// To stop a model is to stop all of its replies, and none of another one's.
func TestAllRepliesOfOneModelInterrupted(t *testing.T) {
	st := newStage(t, patience)
	asker, member := st.sit("asker"), st.sit("member")
	calls, ids := make(map[string]*call), make(map[string]string)
	for _, q := range []string{"@ada apples", "@ada pears", "@bob plums", "@ada cherries"} {
		asker.say(q, q)
		calls[q], ids[q] = st.provider.next(t), member.thinking()
		calls[q].says(member, q)
	}
	member.send(wire.Interrupt("ada", ids["@ada pears"]))
	calls["@ada pears"].hungUp(t)
	if m, _ := member.done(ids["@ada pears"]); m.GetEnd() != roompb.MessageEnd_MESSAGE_END_INTERRUPTED {
		t.Errorf("the one that was named became %v", m)
	}
	if running := st.sit("eye").state.GetReplies(); len(running) != 3 {
		t.Fatalf("%d replies are under way, want the other three", len(running))
	}
	member.send(wire.Interrupt("ada", ""))
	for _, q := range []string{"@ada apples", "@ada cherries"} {
		calls[q].hungUp(t)
		if m, _ := member.done(ids[q]); m.GetContent() != q || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_INTERRUPTED {
			t.Errorf("%q became %v", q, m)
		}
	}
	calls["@bob plums"].says(member, " and more")
	close(calls["@bob plums"].finish)
	if m, _ := member.done(ids["@bob plums"]); m.GetContent() != "@bob plums and more" || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_COMPLETE {
		t.Errorf("the other model's became %v", m)
	}
}

// A provider that breaks off, or falls silent, ends the reply with an error; its words stay and the room goes on.
func TestReplyFails(t *testing.T) {
	for name, fail := range map[string]func(*call){
		"breaks off": func(c *call) { close(c.fail) },
		"is silent":  func(*call) {},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, 300*time.Millisecond)
			asker := st.sit("asker")
			asker.say("k", "@ada are you there?")
			c, id := st.provider.next(t), asker.thinking()
			c.says(asker, "Well, ")
			fail(c)
			m, code := asker.done(id)
			if code != "LLM_ERROR" || m.GetContent() != "Well, " || m.GetEnd() != roompb.MessageEnd_MESSAGE_END_FAILED {
				t.Errorf("it ended with %q and %v", code, m)
			}
			c.hungUp(t)
			asker.say("k2", "@bob and you?")
			next, id := st.provider.next(t), asker.thinking()
			next.says(asker, "yes")
			close(next.finish)
			if m, _ := asker.done(id); m.GetContent() != "yes" {
				t.Errorf("the next reply became %v", m)
			}
		})
	}
}

// Each reply has one outcome in the log, and no word was stored on its way.
func TestReplyIsStoredOnce(t *testing.T) {
	st := newStage(t, patience)
	asker := st.sit("asker")
	asker.say("k", "@ada say much")
	c, id := st.provider.next(t), asker.thinking()
	var said strings.Builder
	for n := range 200 {
		word := fmt.Sprint(n, " ")
		said.WriteString(word)
		c.words <- word
	}
	close(c.finish)
	if m, _ := asker.done(id); m.GetContent() != said.String() {
		t.Errorf("the reply became %v", m)
	}
	var report check.Report
	l := check.Read(t.Context(), st.server.store, room.ID(st.room))
	report.Log(l, nil)
	if err := report.Err(); err != nil || report.Replies.Completed != 1 || len(l.Entries) > 8 {
		t.Errorf("%d entries: %v, %v", len(l.Entries), &report, err)
	}
}
