package rpc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"parley/hub"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// decoded returns the events that an item is on the wire.
func decoded(t *testing.T, it *hub.Item) []*roompb.ServerEvent {
	t.Helper()
	c := encoder{demo: func(model string) bool { return model == "scripted" }}
	var events []*roompb.ServerEvent
	for _, f := range c.frames(it) {
		e := new(roompb.ServerEvent)
		if err := proto.Unmarshal(f.(*frame).data.Materialize(), e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestWhatEachEntryIsOnTheWire(t *testing.T) {
	ref := room.ReplyRef{ID: 5, Model: "ada", Name: "Ada", Trigger: 4}
	for _, c := range []struct {
		event room.Event
		want  string
	}{
		{room.RoomCreated{}, ""},
		{room.RoomDescribed{}, "RoomUpdated"},
		{room.PersonJoined{}, "UserJoined"},
		{room.PersonChanged{}, "UserUpdated"},
		{room.PersonLeft{}, "UserLeft"},
		{room.ModelAdded{}, "LlmAdded"},
		{room.ModelUpdated{}, "LlmUpdated"},
		{room.ModelRemoved{}, "LlmRemoved"},
		{room.MessagePosted{Text: "hello"}, "MessageReceived"},
		{room.ReplyRequested{Reply: ref}, "LlmThinking"},
		{room.ReplyResumed{Reply: ref}, "LlmThinking"},
		{room.ReplyCompleted{Reply: ref, Text: "hello"}, "MessageReceived+ LlmDone"},
		{room.ReplyInterrupted{Reply: ref, Text: "hel"}, "MessageReceived+ LlmDone"},
		{room.ReplyInterrupted{Reply: ref}, "LlmDone"},
		{room.ReplyFailed{Reply: ref, Text: "hel", Reason: "no"}, "MessageReceived+ Error+ LlmDone"},
		{room.ReplyFailed{Reply: ref, Reason: "no"}, "Error+ LlmDone"},
		{room.ReplyDeclined{Reply: ref}, "LlmDone"},
		{room.ReplyRequested{Reply: ref, Turn: &room.Turn{Autopilot: 3, N: 2}}, "AutopilotTurn+ LlmThinking"},
		{room.ReplyWithheld{Trigger: 4, Why: room.TooDeep}, "ReplyWithheld"},
		{room.PollOpened{Question: "Tea?"}, "MessageReceived+ PollCreated"},
		{room.BallotRequested{}, "BallotRequested"},
		{room.BallotResumed{}, ""},
		{room.BallotMissed{}, "BallotMissed"},
		{room.PollClosed{}, "PollClosed"},
		{room.AutopilotStarted{Goal: "Tea"}, "MessageReceived+ AutopilotStarted"},
		{room.AutopilotPaused{}, "AutopilotPaused"},
		{room.AutopilotResumed{}, "AutopilotResumed"},
		{room.AutopilotGuided{Text: "green tea"}, "MessageReceived"},
		{room.AutopilotEnded{}, "AutopilotEnded"},
		{room.PolicyChanged{}, "PolicyChanged"},
		{room.UsageRecorded{}, "Spent"},
		{room.SummaryRequested{}, ""},
		{room.SummaryResumed{}, ""},
		{room.SummaryWritten{}, "SummaryWritten"},
		{room.SummaryFailed{}, ""},
		{room.SummaryFailed{Usage: room.Usage{Input: 1}}, "Spent"},
		{room.Unknown{Kind: "later"}, ""},
	} {
		entry := room.Entry{Offset: 9, At: time.Unix(1, 0), Cause: keyed + "key", Event: c.event}
		var got []string
		for _, e := range decoded(t, &hub.Item{Entry: &entry, Epoch: "e"}) {
			name := strings.TrimPrefix(fmt.Sprintf("%T", e.GetPayload()), "*roompb.ServerEvent_")
			if e.GetMore() {
				name += "+"
			}
			if e.GetOffset() != 9 || e.GetEpoch() != "e" || e.GetClientId() != "key" {
				t.Errorf("%T: envelope %v", c.event, e)
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%T is %v on the wire, want %s", c.event, got, c.want)
		}
	}
}

func TestAReplyHasOneIDFromThinkingToDone(t *testing.T) {
	ref := room.ReplyRef{Model: "ada", Name: "Ada", Trigger: 4}
	asked := decoded(t, &hub.Item{Entry: &room.Entry{Offset: 5, Event: room.ReplyRequested{Reply: ref}}})
	ref.ID = 5
	chunk := decoded(t, &hub.Item{Signal: room.Said{Reply: ref, Position: 3, Text: "lo"}})
	done := decoded(t, &hub.Item{Entry: &room.Entry{Offset: 8, Event: room.ReplyCompleted{Reply: ref, Text: "hello"}}})
	message := done[0].GetMessageReceived().GetMessage()
	ids := []string{
		asked[0].GetLlmThinking().GetMessageId(), chunk[0].GetLlmChunk().GetMessageId(),
		message.GetMessageId(), done[1].GetLlmDone().GetMessageId(),
	}
	for _, id := range ids {
		if id != "5" {
			t.Errorf("ids %v, want 5 everywhere", ids)
		}
	}
	if message.GetReplyTo() != "4" || message.GetEnd() != roompb.MessageEnd_MESSAGE_END_COMPLETE || chunk[0].GetLlmChunk().GetPosition() != 3 {
		t.Errorf("message %v, chunk %v", message, chunk[0])
	}
}

func TestADemoModelIsLabelled(t *testing.T) {
	for model, want := range map[string]bool{"scripted": true, "gpt": false} {
		e := decoded(t, &hub.Item{Entry: &room.Entry{Offset: 2, Event: room.ModelAdded{Model: room.Model{ID: "a", Model: model}}}})
		if got := e[0].GetLlmAdded().GetLlm().GetDemo(); got != want {
			t.Errorf("model %s: demo %t, want %t", model, got, want)
		}
	}
}

func TestAUserIsNotToldOfHerself(t *testing.T) {
	maja, tom := room.PersonIdentity("maja"), room.PersonIdentity("tom")
	for _, it := range []*hub.Item{
		{Entry: &room.Entry{By: maja, Event: room.PersonJoined{}}},
		{Signal: room.Typing{Person: "maja"}},
		{Signal: room.Presence{Person: room.Person{ID: "maja"}}},
	} {
		if !ownEcho(it, maja) || ownEcho(it, tom) {
			t.Errorf("%+v: want it for Tom only", it)
		}
	}
	if it := (&hub.Item{Entry: &room.Entry{By: maja, Event: room.MessagePosted{}}}); ownEcho(it, maja) {
		t.Error("her own message is her acknowledgement: want it")
	}
}

func TestEveryCodeHasAStatusAndAnErrorCode(t *testing.T) {
	for _, c := range []room.Code{
		room.CodeInvalid, room.CodeUnauthorized, room.CodeForbidden, room.CodeNotFound, room.CodeConflict, room.CodeBusy,
		room.CodeGone, room.CodeSlow, room.CodeDraining, room.CodeUnavailable, room.CodeInternal,
	} {
		if grpcCodes[c] == 0 || eventCodes[c] == "" {
			t.Errorf("%s: status %v, error code %q", c, grpcCodes[c], eventCodes[c])
		}
	}
}
