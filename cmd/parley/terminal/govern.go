package terminal

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/client"
)

// councilCommands are the commands about polls, autopilots and money.
func councilCommands() []command {
	return []command{
		{"poll", "question | a | b", "ask the room to decide\n  --multiple --anonymous --mandatory --for 10m --quorum 3 --tie creator", poll},
		{"vote", "[poll] n[,m] [reason]", "vote, in the newest open poll if you name none", vote},
		{"close", "[poll]", "close a poll", closePoll},
		{"polls", "", "list the polls", polls},
		{"autopilot", "mode goal", "let models work on a goal\n  --turns 12 --money 0.50 --models a,b --lead a", autopilot},
		{"pause", "", "let the autopilot pause", steer(func(ctx context.Context, c *client.Session, id string) error {
			_, err := c.PauseAutopilot(ctx, id)
			return err
		})},
		{"resume", "", "let it go on", steer(func(ctx context.Context, c *client.Session, id string) error {
			_, err := c.ResumeAutopilot(ctx, id)
			return err
		})},
		{"guide", "text", "tell the models at work what to mind", guide},
		{"stop", "", "end the autopilot", steer(func(ctx context.Context, c *client.Session, id string) error {
			_, err := c.StopAutopilot(ctx, id)
			return err
		})},
		{"cost", "", "show what the room has spent", cost},
		{"policy", "[flags]", "show or change what the room may do and spend\n  --polls on --day 2 --total none (dollars)", policy},
	}
}

// flags takes words that begin with "--" out of args. Those in switches stand alone, all others take the next word.
func flags(args string, switches ...string) (rest string, set map[string]string, fail string) {
	set = make(map[string]string)
	var words []string
	list := strings.Fields(args)
	for i := 0; i < len(list); i++ {
		name, isFlag := strings.CutPrefix(list[i], "--")
		switch {
		case !isFlag || name == "":
			words = append(words, list[i])
		case slices.Contains(switches, name):
			set[name] = "yes"
		case i+1 >= len(list):
			return "", nil, "--" + Line(name) + " needs a value after it."
		default:
			i++
			set[name] = list[i]
		}
	}
	return strings.Join(words, " "), set, ""
}

// unknown complains of a flag that is none of these.
func unknown(set map[string]string, known ...string) string {
	for name := range set {
		if !slices.Contains(known, name) {
			return fmt.Sprintf("There is no --%s here: use --%s.", Line(name), strings.Join(known, ", --"))
		}
	}
	return ""
}

func poll(_ *story, args string) action {
	text, set, fail := flags(args, "multiple", "anonymous", "mandatory")
	fail = firstNonEmpty(fail, unknown(set, "multiple", "anonymous", "mandatory", "for", "quorum", "tie"))
	if fail != "" {
		return action{fail: fail}
	}
	parts := strings.Split(text, "|")
	q := client.Question{
		Text: strings.TrimSpace(parts[0]), Multiple: set["multiple"] != "", Anonymous: set["anonymous"] != "",
		Mandatory: set["mandatory"] != "", Tie: client.TieRule(set["tie"]),
	}
	for _, p := range parts[1:] {
		q.Options = append(q.Options, client.Option{Text: strings.TrimSpace(p)})
	}
	if q.Text == "" || len(q.Options) < 2 {
		return action{fail: "A poll needs a question and two options. For instance: /poll Which tea? | green | black --for 10m"}
	}
	var err error
	if v, ok := set["for"]; ok {
		if q.OpenFor, err = time.ParseDuration(v); err != nil || q.OpenFor <= 0 {
			return action{fail: "--for takes a time such as 90s, 10m or 2h."}
		}
	}
	if v, ok := set["quorum"]; ok {
		if q.Quorum, err = strconv.Atoi(v); err != nil || q.Quorum < 1 {
			return action{fail: "--quorum takes how many have to vote, such as 3."}
		}
	}
	if q.Tie != client.TieOpen && q.Tie != client.TieCreator && q.Tie != client.TieFirst {
		return action{fail: "--tie takes creator or first: whose vote, or which option, decides a tie."}
	}
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.OpenPoll(ctx, q)
		return err
	}}
}

// openPoll finds the newest open poll, or the poll of an id.
func (s *story) openPoll(id string) (*client.Poll, string) {
	if id != "" {
		if p := s.council.Poll(id); p != nil {
			return p, ""
		}
		return nil, fmt.Sprintf("There is no poll %s here: /polls lists them.", Line(id))
	}
	for _, p := range slices.Backward(s.council.Polls) {
		if p.Open() {
			return s.council.Poll(p.ID), ""
		}
	}
	return nil, "No poll is open now. Open one with /poll."
}

func vote(s *story, args string) action {
	const usage = "Which option? For instance: /vote 2 because it is green, or /vote 17 1,3 for poll 17."
	words := strings.Fields(args)
	if len(words) == 0 {
		return action{fail: usage}
	}
	id := ""
	if len(words) > 1 && s.council.Poll(words[0]) != nil && options(words[1]) != nil {
		id, words = words[0], words[1:]
	}
	p, fail := s.openPoll(id)
	if p == nil {
		return action{fail: fail}
	}
	chosen := options(words[0])
	for _, n := range chosen {
		if n > len(p.Options) {
			return action{fail: fmt.Sprintf("Poll %s has no option %d: it has %d.", Line(p.ID), n, len(p.Options))}
		}
	}
	if chosen == nil {
		return action{fail: usage}
	}
	c := client.Choice{Poll: p.ID, Options: chosen, Reason: strings.Join(words[1:], " "), Replace: true}
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.Vote(ctx, c)
		return err
	}}
}

// options reads "1,3"; nil if that is not what it is.
func options(word string) (list []int) {
	for part := range strings.SplitSeq(word, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil
		}
		list = append(list, n)
	}
	return list
}

func closePoll(s *story, args string) action {
	p, fail := s.openPoll(args)
	if p == nil {
		return action{fail: fail}
	}
	id := p.ID
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.ClosePoll(ctx, id)
		return err
	}}
}

func polls(s *story, _ string) action {
	if len(s.council.Polls) == 0 {
		return action{say: "There was no poll yet. Open one with /poll."}
	}
	var b strings.Builder
	for _, p := range s.council.Polls {
		b.WriteString(Line(p.Question) + "\n" + indent + strings.ReplaceAll(s.card(&p), "\n", "\n"+indent) + "\n")
	}
	return action{say: strings.TrimSuffix(b.String(), "\n")}
}

func autopilot(s *story, args string) action {
	var names []string
	for _, m := range client.Modes() {
		names = append(names, string(m))
	}
	text, set, fail := flags(args)
	fail = firstNonEmpty(fail, unknown(set, "turns", "money", "models", "lead"))
	if fail != "" {
		return action{fail: fail}
	}
	mode, goal, _ := strings.Cut(text, " ")
	p := client.Plan{Mode: client.Mode(strings.ReplaceAll(strings.ToLower(mode), "-", "_")), Goal: strings.TrimSpace(goal)}
	if !slices.Contains(client.Modes(), p.Mode) || p.Goal == "" {
		return action{fail: "An autopilot needs a mode (" + strings.Join(names, ", ") + ") and a goal. For instance: /autopilot debate Which tea to buy --turns 6"}
	}
	var err error
	if v, ok := set["turns"]; ok {
		if p.Turns, err = strconv.Atoi(v); err != nil || p.Turns < 1 {
			return action{fail: "--turns takes how many turns there may be, such as 12."}
		}
	}
	if v, ok := set["money"]; ok {
		if p.Limit, err = client.ParseMoney(v); err != nil || p.Limit == 0 {
			return action{fail: "--money takes dollars, such as 0.50."}
		}
	}
	for _, name := range strings.FieldsFunc(set["models"]+","+set["lead"], func(r rune) bool { return r == ',' }) {
		if s.findModel(name) == nil {
			return s.noModel(name)
		}
	}
	for _, name := range strings.FieldsFunc(set["models"], func(r rune) bool { return r == ',' }) {
		p.Models = append(p.Models, s.findModel(name).ID)
	}
	if set["lead"] != "" {
		p.Lead = s.findModel(set["lead"]).ID
	}
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.StartAutopilot(ctx, p)
		return err
	}}
}

const noAutopilot = "No autopilot is running. Start one with /autopilot."

func steer(do func(context.Context, *client.Session, string) error) func(*story, string) action {
	return func(s *story, _ string) action {
		a := s.council.Running()
		if a == nil {
			return action{fail: noAutopilot}
		}
		id := a.ID
		return action{do: func(ctx context.Context, seat *client.Session) error { return do(ctx, seat, id) }}
	}
}

func guide(s *story, args string) action {
	if args == "" {
		return action{fail: "What should the models mind? For instance: /guide keep it below 100 words"}
	}
	return steer(func(ctx context.Context, c *client.Session, id string) error {
		_, err := c.GuideAutopilot(ctx, id, args)
		return err
	})(s, "")
}

func cost(*story, string) action {
	return action{ask: func(ctx context.Context, seat *client.Session) (string, error) {
		c, err := seat.Cost(ctx)
		if err != nil {
			return "", err
		}
		return CostTable(c), nil
	}}
}

func policy(s *story, args string) action {
	p := s.council.Policy
	if args == "" {
		return action{say: "In this room " + policyText(p) + "."}
	}
	rest, set, fail := flags(args)
	fail = firstNonEmpty(fail, unknown(set, "polls", "day", "total"))
	if fail == "" && rest != "" {
		fail = "Use flags: /policy --polls on --day 2 --total 20"
	}
	if v, ok := set["polls"]; ok {
		if p.ModelPolls = v == "on"; v != "on" && v != "off" {
			fail = firstNonEmpty(fail, "--polls takes on or off: whether models may open polls.")
		}
	}
	for name, limit := range map[string]*client.Allowance{"day": &p.Day, "total": &p.Total} {
		v, ok := set[name]
		switch {
		case !ok:
		case v == "none":
			*limit = client.Allowance{}
		default:
			money, err := client.ParseMoney(v)
			if err != nil || money == 0 {
				fail = firstNonEmpty(fail, "--"+name+" takes dollars, such as 0.50, or none.")
			}
			limit.Cost = money
		}
	}
	if fail != "" {
		return action{fail: fail}
	}
	return action{do: func(ctx context.Context, seat *client.Session) error {
		_, err := seat.SetPolicy(ctx, p)
		return err
	}}
}
