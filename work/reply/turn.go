package reply

import (
	"fmt"
	"strings"

	"parley/room"
	"parley/work/talk"
)

// describeTurn says what the models work on by themselves, and what is asked of this turn.
func (t *task) describeTurn(b *strings.Builder, who *talk.Names) {
	p := t.view.Autopilot
	fmt.Fprintf(b, "\nYou and other models work on a goal by yourselves, until it is reached or needs people. The goal, in the words of %s:\n%s\n",
		who.Of(room.Message{By: p.By, Name: p.Started.Name}), talk.Block(p.Started.Goal))
	b.WriteString("How you work: " + modes(p.Started.Mode) + "\n")
	b.WriteString("Your part: " + parts(t.turn.Part) + "\n")
	fmt.Fprintf(b, "This is turn %d of at most %d.", t.turn.N, max(p.Started.Turns, t.turn.N))
	if p.Started.Limit > 0 {
		fmt.Fprintf(b, " Of %s, %s is left.", talk.Dollars(p.Started.Limit), talk.Dollars(max(0, p.Started.Limit-p.Spent.Cost)))
	}
	b.WriteString("\n")
	t.describeGuides(b, who)
	if t.turn.Part.MayEnd() {
		fmt.Fprintf(b, "If the goal is reached, use the tool %s with the result. If only people can decide how to go on, use the tool %s. Otherwise take the work one step further.\n", finishTool, askTool)
	}
	if t.turn.Last {
		b.WriteString("This is the last turn: nobody speaks after you. Conclude now, with what has been reached and what is still open, and do not put anything off.\n")
	}
}

const (
	maxGuides      = 20
	maxGuideTokens = 1000
)

// describeGuides tells what people asked to mind, as far as it fits, the newest last.
func (t *task) describeGuides(b *strings.Builder, who *talk.Names) {
	guides, left := t.view.Autopilot.Guides, maxGuideTokens
	from := len(guides)
	for from > max(0, len(guides)-maxGuides) && left > 0 {
		from--
		left -= talk.Tokens(guides[from].Text) + talk.TurnTokens
	}
	if from == len(guides) {
		return
	}
	b.WriteString("What people asked you to mind since, the newest last:\n")
	for _, g := range guides[from:] {
		b.WriteString(talk.Quote(who.Of(g), talk.Clip(g.Text, 4*maxGuideTokens)) + "\n")
	}
}

// closing is what the server says before a turn.
func (t *task) closing() string {
	if t.turn == nil {
		return ""
	}
	if t.turn.Last {
		return "[It is your turn, the last one: conclude.]"
	}
	return "[It is your turn.]"
}

func modes(m room.Mode) string {
	switch m {
	case room.RoundRobin:
		return "you speak one after the other, again and again. Build on what the one before you said; do not repeat it."
	case room.Leader:
		return "one of you leads and gives out the work, the others do it all at once, again and again."
	case room.Debate:
		return "the debaters speak in turn, then a judge sums up the round."
	case room.Relay:
		return "each of you speaks once and works on what the one before left. The last text is the result."
	case room.Consensus:
		return "each of you makes a proposal without seeing the others', then all vote on them."
	}
	return "you speak in turns."
}

func parts(p room.Part) string {
	switch p {
	case room.Speaker:
		return "add what is still missing, or correct what is wrong, in a few sentences."
	case room.Lead:
		return "you lead. Say what each of the others is to do next, by name, and put together what they found."
	case room.Follower:
		return "do what the lead asked of you, and say what you found. The lead decides when the work is done."
	case room.Debater:
		return "argue for your view, answer the strongest point against it, and say plainly where the others have convinced you."
	case room.Judge:
		return "weigh what was said in this round. Say what is settled and which question is open, or decide."
	case room.Runner:
		return "take over the text as it is and make it better. Write it out whole: who comes after you works on your text only."
	case room.Proposer:
		return "make one proposal that can be voted on as it stands, with its strongest reason. Begin with a title of a few words."
	}
	return "take the work a step further."
}
