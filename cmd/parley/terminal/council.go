package terminal

import (
	"fmt"
	"strings"
	"time"

	"parley/client"
)

const barWidth = 16

// applyCouncil folds what is about polls, autopilots and money, and tells of what is worth a line.
func (s *story) applyCouncil(ev client.Event) {
	s.council.Apply(ev)
	switch e := ev.(type) {
	case client.Snapshot:
		for _, p := range s.council.Polls {
			s.redraw(p.ID)
		}
	case client.PollCreated:
		s.redraw(e.Poll.ID)
	case client.Voted:
		s.redraw(e.PollID)
	case client.BallotRequested:
		s.redraw(e.PollID)
	case client.BallotMissed:
		s.redraw(e.PollID)
		s.tell(e.Stamp, Line(e.Ballot.ModelName)+" did not vote: "+Line(e.Ballot.Reason))
	case client.PollClosed:
		s.redraw(e.PollID)
		s.tell(e.Stamp, s.closing(e))
	case client.Withheld:
		s.tell(e.Stamp, strings.Join(s.namesOf(e.Models), ", ")+" not asked: "+Line(e.Reason))
	case client.AutopilotStarted:
		s.tell(e.Stamp, begun(e.Autopilot))
	case client.AutopilotPaused:
		s.tell(e.Stamp, because(byWhom("The autopilot is paused", e.Name), e.Reason))
	case client.AutopilotResumed:
		s.tell(e.Stamp, byWhom("The autopilot goes on", e.Name))
	case client.AutopilotEnded:
		s.tell(e.Stamp, ended(e.End))
	case client.PolicyChanged:
		s.tell(e.Stamp, byWhom("The policy was changed", Line(firstNonEmpty(e.Name, s.nameOf(e.UserID))))+": "+policyText(e.Policy))
	case client.SummaryWritten:
		s.tell(e.Stamp, "Older messages were summarised for the models.")
	}
}

// redraw paints a poll anew where its question stands.
func (s *story) redraw(poll string) {
	p, it := s.council.Poll(poll), s.byID[poll]
	if p == nil || it == nil {
		return
	}
	it.card, it.painted = s.card(p), painting{}
}

// card is a poll in lines: a bar for each option, who voted for it and why, and how it stands.
func (s *story) card(p *client.Poll) string {
	var b strings.Builder
	most := 1
	for _, o := range p.Options {
		most = max(most, o.Count)
	}
	for i, o := range p.Options {
		full := o.Count * barWidth / most
		fmt.Fprintf(&b, "%d %s%s %d  %s", i+1, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), o.Count, Line(o.Text))
		if o.Description != "" {
			b.WriteString(" (" + Line(o.Description) + ")")
		}
		b.WriteByte('\n')
		for _, v := range o.Votes {
			name, reason := Line(firstNonEmpty(v.VoterName, v.VoterID)), Line(v.Reason)
			switch {
			case name == "" && reason == "":
			case name == "":
				b.WriteString("    “" + reason + "”\n")
			case reason == "":
				b.WriteString("    " + name + "\n")
			default:
				b.WriteString("    " + name + ": " + reason + "\n")
			}
		}
	}
	b.WriteString(s.standing(p))
	return b.String()
}

// standing is what to know about a poll beside its votes.
func (s *story) standing(p *client.Poll) string {
	about := []string{"poll " + Line(p.ID)}
	for _, flag := range []struct {
		set  bool
		text string
	}{
		{p.Multiple, "several options"},
		{p.Anonymous, "anonymous"},
		{p.Mandatory, "mandatory"},
		{p.PeopleOnly, "for people only"},
		{p.Quorum > 0, fmt.Sprintf("quorum %d", p.Quorum)},
	} {
		if flag.set {
			about = append(about, flag.text)
		}
	}
	if !p.Open() {
		outcome := "closed"
		if p.Result != nil {
			outcome = "closed: " + verdict(*p.Result, p.Options)
		}
		return strings.Join(append(about, outcome), " · ")
	}
	if !p.Deadline.IsZero() {
		about = append(about, "until "+p.Deadline.In(s.zone).Format("15:04"))
	}
	if len(p.Awaited) > 0 {
		var names []string
		for _, a := range p.Awaited {
			names = append(names, Line(firstNonEmpty(a.ModelName, a.ModelID)))
		}
		about = append(about, "waiting for "+strings.Join(names, ", "))
	}
	return strings.Join(append(about, "open: /vote NUMBER"), " · ")
}

// verdict is what a poll came to.
func verdict(r client.Result, options []client.Option) string {
	text := func(n int) string {
		if n >= 1 && n <= len(options) {
			return Line(options[n-1].Text)
		}
		return fmt.Sprintf("option %d", n)
	}
	switch r.Verdict {
	case client.Decided:
		if r.Winner >= 1 && r.Winner <= len(r.Counts) {
			return fmt.Sprintf("%s, with %d of %s", text(r.Winner), r.Counts[r.Winner-1], count(r.Voters, "voter"))
		}
		return text(r.Winner)
	case client.Tied:
		var leading []string
		for _, n := range r.Leading {
			leading = append(leading, text(n))
		}
		return "a tie between " + strings.Join(leading, " and ")
	case client.NoQuorum:
		return fmt.Sprintf("nothing is decided, only %s", count(r.Voters, "voter"))
	case client.NoVotes:
		return "nobody voted"
	}
	return "its result is not known here"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// closing tells of a poll that closed, in full.
func (s *story) closing(e client.PollClosed) string {
	var options []client.Option
	if p := s.council.Poll(e.PollID); p != nil {
		options = p.Options
	}
	head := "The poll “" + Line(e.Question) + "” is closed"
	switch e.Ending {
	case client.ByDeadline:
		head += ", its time is over"
	case client.ByAll:
		head += ", all have voted"
	case client.ByHand:
		head = byWhom(head, e.Name)
	}
	text := head + ": " + verdict(e.Result, options) + "."
	for _, d := range e.Result.Dissents {
		if d.Reason != "" {
			text += "\nAgainst it, " + firstNonEmpty(Line(firstNonEmpty(d.VoterName, d.VoterID)), "somebody") + ": " + Line(d.Reason)
		}
	}
	for _, m := range e.Result.Missing {
		text += "\n" + Line(firstNonEmpty(m.ModelName, m.ModelID)) + " should have voted, and did not."
	}
	return text
}

// voting tells of a vote in one line.
func (s *story) voting(e client.Voted) string {
	who := firstNonEmpty(Line(firstNonEmpty(e.Vote.VoterName, e.Vote.VoterID)), "Somebody")
	if len(e.Options) == 0 {
		return because(who+" takes the vote in poll "+Line(e.PollID)+" back", e.Vote.Reason)
	}
	var chosen []string
	p := s.council.Poll(e.PollID)
	for _, n := range e.Options {
		text := fmt.Sprint(n)
		if p != nil && n >= 1 && n <= len(p.Options) {
			text += " " + Line(p.Options[n-1].Text)
		}
		chosen = append(chosen, text)
	}
	return because(who+" votes for "+strings.Join(chosen, ", "), e.Vote.Reason)
}

// progress is how far the autopilot that runs has come; empty if none does.
func (s *story) progress() string {
	a := s.council.Running()
	if a == nil {
		return ""
	}
	text := fmt.Sprintf("%s: turn %d of %d, %s", modeLabel(a.Mode), a.Turn, a.Turns, spent(a.Spent))
	if a.Limit > 0 {
		text += " of " + a.Limit.String()
	}
	switch {
	case a.Paused:
		return text + ", paused"
	case a.PollID != "":
		return text + ", voting"
	case len(a.Next) > 0:
		return text + ", next: " + strings.Join(s.namesOf(a.Next), ", ")
	}
	return text
}

func (s *story) namesOf(ids []string) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.nameOf(id)
	}
	return names
}

func modeLabel(m client.Mode) string {
	return firstNonEmpty(strings.ReplaceAll(string(m), "_", " "), "autopilot")
}

// spent is money, and that it may be more.
func spent(u client.Usage) string {
	if u.Unpriced {
		return "at least " + u.Cost.String()
	}
	return u.Cost.String()
}

func begun(a client.Autopilot) string {
	text := fmt.Sprintf("The models begin to work on it: %s, at most %s", modeLabel(a.Mode), count(a.Turns, "turn"))
	if a.Limit > 0 {
		text += " and " + a.Limit.String()
	}
	return text
}

func ended(e client.AutopilotEnd) string {
	why := map[client.Outcome]string{
		client.Finished: "the goal is reached", client.Asked: "the models ask you", client.Agreed: "the models agree",
		client.Disagreed: "the models do not agree", client.Stopped: "it was stopped", client.OutOfTurns: "it has had all its turns",
		client.OutOfMoney: "there is no money left for it", client.Repeating: "the models repeat themselves",
		client.Broken: "its models failed",
	}
	text := byWhom("The autopilot has ended: "+firstNonEmpty(why[e.Outcome], "it is over"), e.Name)
	text += fmt.Sprintf(", after %s and %s", count(e.Turns, "turn"), spent(e.Spent))
	text = because(text, e.Reason)
	if e.Summary != "" {
		text += "\n" + Text(e.Summary)
	}
	return text
}

func byWhom(text, name string) string {
	if name == "" {
		return text
	}
	return text + " (by " + Line(name) + ")"
}

func because(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + Line(reason)
}

// policyText is a policy in one line.
func policyText(p client.Policy) string {
	polls := "models may not open polls"
	if p.ModelPolls {
		polls = "models may open polls"
	}
	return fmt.Sprintf("%s; at most %s a day, %s in all", polls, Allowed(p.Day), Allowed(p.Total))
}

// Allowed is an allowance in words.
func Allowed(a client.Allowance) string {
	switch {
	case a.Cost > 0 && a.Tokens > 0:
		return fmt.Sprintf("%s and %d tokens", a.Cost, a.Tokens)
	case a.Cost > 0:
		return a.Cost.String()
	case a.Tokens > 0:
		return fmt.Sprintf("%d tokens", a.Tokens)
	}
	return "anything"
}

// CostTable is what a room has spent, in lines.
func CostTable(c client.Cost) string {
	var b strings.Builder
	row := func(what string, u client.Usage, more string) {
		fmt.Fprintf(&b, "%-24s %14s  %d in, %d out%s\n", what, spent(u), u.Input, u.Output, more)
	}
	limit := func(of, server client.Allowance) string {
		text := ""
		if of != (client.Allowance{}) {
			text += ", limit " + Allowed(of)
		}
		if server != (client.Allowance{}) {
			text += ", server's limit " + Allowed(server)
		}
		return text
	}
	row("in all", c.Total, limit(c.Policy.Total, c.ServerTotal))
	row("on "+firstNonEmpty(Line(c.Date), "any day")+" (UTC)", c.Day, limit(c.Policy.Day, c.ServerDay))
	if c.Held != (client.Allowance{}) {
		fmt.Fprintf(&b, "%-24s %14s\n", "calls under way may take", Allowed(c.Held))
	}
	for _, group := range []struct {
		title string
		of    []client.Account
	}{{"by model", c.Models}, {"for whom", c.People}} {
		for i, a := range group.of {
			if i == 0 {
				b.WriteString(group.title + "\n")
			}
			row("  "+firstNonEmpty(Line(a.Name), Line(a.ID)), a.Usage, ", "+count(a.Calls, "call"))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// PollLine is a poll in one line.
func PollLine(p client.Poll, zone *time.Location) string {
	s := story{zone: zone}
	var options []string
	for i, o := range p.Options {
		options = append(options, fmt.Sprintf("%d %s (%d)", i+1, Line(o.Text), o.Count))
	}
	return Line(p.Question) + " — " + strings.Join(options, ", ") + " — " + s.standing(&p)
}

// AutopilotLine is how far an autopilot has come, in one line.
func AutopilotLine(c client.Council, room client.Room) string {
	s := story{council: c, room: room}
	return s.progress()
}
