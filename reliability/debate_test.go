package reliability

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"google.golang.org/grpc"

	"parley/journal/embedded"
	"parley/reliability/check"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// A hall is a room of a server whose three models are a council, and who sits in it.
type hall struct {
	t       *testing.T
	server  *server
	conn    *grpc.ClientConn
	room    string
	witness *witness
	bea     *seat
}

func newHall(t *testing.T, cfg councilConfig, rules room.Rules, models ...string) *hall {
	t.Helper()
	worker, w, err := newCouncil(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, serverConfig{worker: worker, rules: rules})
	h := &hall{t: t, server: s, conn: dial(t, s.addr), witness: w}
	h.room = mustRoom(t, h.conn, models...)
	h.bea = h.sit("bea")
	return h
}

func (h *hall) sit(user string) *seat {
	h.t.Helper()
	return sit(h.t, h.conn, &roompb.JoinRoom{RoomId: h.room, UserId: user})
}

func (h *hall) log() check.Log { return check.Read(h.t.Context(), h.server.store, room.ID(h.room)) }

func startAutopilot(key string, a *roompb.StartAutopilot) *roompb.ClientMessage {
	return &roompb.ClientMessage{ClientId: key, Payload: &roompb.ClientMessage_StartAutopilot{StartAutopilot: a}}
}

// debate is a debate of ada and bob, with cyd as the judge.
func debate(limit room.Cost) *roompb.ClientMessage {
	return startAutopilot("debate", &roompb.StartAutopilot{
		Goal: "Which fruit?", Mode: roompb.AutopilotMode_AUTOPILOT_MODE_DEBATE,
		LlmIds: []string{"ada", "bob", "cyd"}, LeadLlmId: "cyd", LimitNanoUsd: int64(limit),
	})
}

// autopilotEnd waits for the end of an autopilot and returns its turns on the way: who spoke.
func (s *seat) autopilotEnd() (end *roompb.AutopilotEnded, speakers []string) {
	s.t.Helper()
	s.until(func(e *roompb.ServerEvent) bool {
		if turn := e.GetAutopilotTurn(); turn != nil {
			speakers = append(speakers, turn.GetLlmId())
		}
		end = e.GetAutopilotEnded()
		return end != nil
	})
	return end, speakers
}

// turnOf waits for the beginning of a turn.
func (s *seat) turnOf(n int) *roompb.AutopilotTurn {
	s.t.Helper()
	return s.until(func(e *roompb.ServerEvent) bool { return e.GetAutopilotTurn().GetTurn() == uint32(n) }).GetAutopilotTurn()
}

var threeTwice = fmt.Sprint([]string{"ada", "bob", "cyd", "ada", "bob", "cyd"})

func TestDebate(t *testing.T) {
	h := newHall(t, councilConfig{script: councilScript, maxTokens: turnWords}, room.Rules{}, "ada", "bob", "cyd")
	h.bea.send(debate(0))
	end, speakers := h.bea.autopilotEnd()
	if fmt.Sprint(speakers) != threeTwice {
		t.Errorf("there spoke %v", speakers)
	}
	if end.GetOutcome() != roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_FINISHED || end.GetSummary() != "Settled in turn 6." ||
		end.GetEndedByName() != "cyd" || end.GetSpent().GetNanoUsd() != int64(6*turnPrice) {
		t.Errorf("it ended with %v", end)
	}
	if calls := len(h.witness.prompts()); calls != 6 {
		t.Errorf("the models were called %d times", calls)
	}
}

// No turn begins while it is paused, and a turn under way goes on.
func TestDebatePaused(t *testing.T) {
	h := newHall(t, councilConfig{script: councilScript, maxTokens: turnWords}, room.Rules{}, "ada", "bob", "cyd")
	h.bea.send(debate(0))
	second := h.bea.turnOf(2)
	id := second.GetAutopilotId()
	h.bea.send(&roompb.ClientMessage{Payload: &roompb.ClientMessage_PauseAutopilot{PauseAutopilot: &roompb.PauseAutopilot{AutopilotId: id}}})
	h.bea.until(func(e *roompb.ServerEvent) bool { return e.GetAutopilotPaused().GetPausedByName() == "bea" })
	for { // to the end of the turn that was under way, whichever it was
		state := h.sit("eye").state
		if len(state.GetReplies()) == 0 {
			break
		}
		h.bea.done(state.GetReplies()[0].GetMessageId())
	}
	before := h.sit("eye").state
	h.bea.say("aside", "people may speak meanwhile")
	after := h.sit("eye").state
	if a := after.GetAutopilot(); !a.GetPaused() || a.GetTurn() != before.GetAutopilot().GetTurn() || len(after.GetReplies()) > 0 {
		t.Errorf("while it was paused it became %v, with %v under way", a, after.GetReplies())
	}
	taken := int(after.GetAutopilot().GetTurn())
	if calls := len(h.witness.prompts()); calls != taken {
		t.Errorf("%d calls were made for %d turns", calls, taken)
	}
	h.bea.send(&roompb.ClientMessage{Payload: &roompb.ClientMessage_ResumeAutopilot{ResumeAutopilot: &roompb.ResumeAutopilot{AutopilotId: id}}})
	end, speakers := h.bea.autopilotEnd()
	if len(speakers) != 6-taken || end.GetOutcome() != roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_FINISHED || end.GetTurns() != 6 {
		t.Errorf("%d turns were taken before the pause, after it spoke %v, and it ended with %v", taken, speakers, end)
	}
}

// A limit of money holds to the cent: what is spent never exceeds it, and a call that it does not pay for is not made.
func TestDebateLimit(t *testing.T) {
	const outOfMoney = roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_OUT_OF_MONEY
	for name, c := range map[string]struct {
		limit   room.Cost
		calls   int
		outcome roompb.AutopilotOutcome
	}{
		"spent to the last nano":    {5 * turnPrice, 5, outOfMoney},
		"one nano short of a turn":  {5*turnPrice - 1, 4, outOfMoney},
		"one nano more than a turn": {turnPrice + 1, 1, outOfMoney},
		"less than any turn":        {1, 0, outOfMoney},
		"enough":                    {6 * turnPrice, 6, roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_FINISHED},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, councilConfig{script: councilScript, maxTokens: turnWords}, room.Rules{}, "ada", "bob", "cyd")
			h.bea.send(debate(c.limit))
			end, _ := h.bea.autopilotEnd()
			if end.GetOutcome() != c.outcome {
				t.Errorf("it ended with %v", end)
			}
			if calls := len(h.witness.prompts()); calls != c.calls {
				t.Errorf("%d calls were made, want %d", calls, c.calls)
			}
			if spent := cost(h.log()); spent != room.Cost(c.calls)*turnPrice || spent > c.limit || end.GetSpent().GetNanoUsd() != int64(spent) {
				t.Errorf("the log has %d nano-USD, its end says %d, the limit was %d", spent, end.GetSpent().GetNanoUsd(), c.limit)
			}
		})
	}
}

// cost is what a log says was spent, in all.
func cost(l check.Log) (sum room.Cost) {
	for _, e := range l.Entries {
		switch v := e.Event.(type) {
		case room.ReplyCompleted:
			sum += v.Cost
		case room.ReplyFailed:
			sum += v.Cost
		case room.ReplyDeclined:
			sum += v.Cost
		case room.UsageRecorded:
			sum += v.Usage.Cost
		case room.SummaryWritten:
			sum += v.Usage.Cost
		case room.SummaryFailed:
			sum += v.Usage.Cost
		}
	}
	return sum
}

// A debate goes on where it was when the server was killed, within its limit.
func TestDebateKill(t *testing.T) {
	t.Parallel()
	cfg := childConfig{Dir: t.TempDir(), Prompts: filepath.Join(t.TempDir(), "prompts")}
	c := spawn(t, cfg, "")
	c.serve(t)
	id := mustRoom(t, dial(t, c.addr), "ada", "bob", "cyd")
	kills := []int{2, 3, 5} // in these turns
	for i, turn := range append(kills, 0) {
		bea := sit(t, dial(t, c.addr), &roompb.JoinRoom{RoomId: id, UserId: "bea"})
		if i == 0 {
			bea.send(debate(10 * room.Dollar))
		}
		if turn == 0 {
			end := bea.state.GetAutopilot().GetEnded()
			if end == nil {
				end, _ = bea.autopilotEnd()
			}
			if end.GetOutcome() != roompb.AutopilotOutcome_AUTOPILOT_OUTCOME_FINISHED || end.GetTurns() != 6 {
				t.Errorf("it ended with %v", end)
			}
			bea.leave()
			c.stop(t)
			break
		}
		if bea.state.GetAutopilot().GetTurn() < uint32(turn) {
			bea.turnOf(turn)
		}
		next := spawn(t, cfg, "")
		c.kill()
		next.serve(t)
		c = next
	}
	checkDebate(t, cfg, id)
}

// checkDebate reads a debate from the disk: six turns, each with one outcome, in order, and one end.
func checkDebate(t *testing.T, cfg childConfig, id string) {
	t.Helper()
	store, err := embedded.Open(embedded.Config{Dir: cfg.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	l := check.Read(t.Context(), store, room.ID(id))
	var report check.Report
	report.Log(l, nil)
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	turns, ends := "", 0
	for _, e := range l.Entries {
		switch v := e.Event.(type) {
		case room.ReplyRequested:
			turns += strconv.Itoa(v.Turn.N)
		case room.AutopilotEnded:
			ends++
		}
	}
	if turns != "123456" || ends != 1 || report.Replies.Completed != 6 || report.Replies.Resumed == 0 {
		t.Errorf("the turns were %s, it ended %d times: %+v", turns, ends, report.Replies)
	}
	// What a call took that died with its server is not known: it counts as all that it was allowed.
	lost := room.Cost(report.Replies.Resumed) * room.DefaultRules().CallCost
	if spent := cost(l); spent != 6*turnPrice+lost {
		t.Errorf("it cost %v, want six turns and %v for lost calls", spent, lost)
	}
	t.Logf("3 kills: %+v", report.Replies)
}
