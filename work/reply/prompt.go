package reply

import (
	"fmt"
	"strings"

	"parley/llm"
	"parley/room"
	"parley/work/talk"
)

// request is all that the model is told: who it is and where, then what was said, oldest first. upto is how far a
// summary should go for the next one; 0 if none is wanted.
func (w *Worker) request(t *task) (req llm.Request, upto room.Offset) {
	who := talk.NewNames(t.view, t.self.ID)
	system, tools := w.system(t, who), w.offered(t)
	left := w.cfg.ContextTokens - talk.Tokens(system) - talk.TurnTokens - talk.ToolTokens(tools)
	left = max(left, w.cfg.ContextTokens/4) // a long persona must not silence the room

	req = llm.Request{Tools: tools, MaxTokens: w.cfg.MaxTokens}
	if t.self.Model != "" {
		req.Models = []string{t.self.Model}
	}
	told := talk.Telling{
		Names: who, Messages: t.view.Messages, Window: w.cfg.Window, Trigger: t.Trigger, Summary: t.view.Summary,
		Closing: t.closing(),
	}
	turns, upto := told.Turns(left)
	req.Messages = append([]llm.Message{{Role: llm.System, Text: system}}, turns...)
	return req, upto
}

// system says who the model is, where, among whom, and how to behave.
func (w *Worker) system(t *task, who *talk.Names) string {
	var b strings.Builder
	talk.Introduce(&b, t.view, t.self, who, t.asked)
	if t.turn == nil {
		w.describeAsking(&b, t)
		b.WriteString("\n" + talk.Reading + lastIsAnswered + manners)
		return b.String()
	}
	b.WriteString("\n" + talk.Reading + turnIsTaken + manners)
	t.describeTurn(&b, who)
	return b.String()
}

// describeAsking says whether the other models can be asked.
func (w *Worker) describeAsking(b *strings.Builder, t *task) {
	if len(t.peers) == 0 {
		return
	}
	if w.mayAsk(t) {
		fmt.Fprintf(b, "A model you mention, by @%s in your text or by the tool %s, is asked to reply after you. "+
			"Mention one only when its answer is needed.\n", strings.ReplaceAll(t.peers[0].Name, " ", "_"), mentionTool)
	} else {
		b.WriteString("Enough models have asked one another: none will reply to you now, so do not ask them.\n")
	}
}

const (
	lastIsAnswered = "- You answer the last message. " + alone
	turnIsTaken    = "- You take your turn in the work that is described at the end. " + alone
	alone          = "Others may be answering at the same time: speak for yourself only, and never write what somebody else might say.\n"
)

const manners = `
How to answer:
- Begin with what you have to say, not with your name or a mark.
- Mention a person by @Name where it matters whom you mean.
- Answer in the language of the message you answer.
` + talk.Caution + `- If you have nothing to add, use the tool ` + optOutTool + ` and write nothing.
`
