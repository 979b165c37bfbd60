package ballot

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/llm"
	"parley/room"
	"parley/work/talk"
)

const (
	voteTool   = "vote_on_poll"
	optOutTool = "opt_out"
)

type voteArgs struct {
	Options []int  `json:"options" desc:"the numbers of the options you vote for; exactly one where the poll allows one"`
	Reason  string `json:"reason" desc:"why, in one or two sentences; everybody in the room will read it"`
}

type optOutArgs struct {
	Reason string `json:"reason" desc:"why, in a few words"`
}

func tools() []llm.Tool {
	return []llm.Tool{
		{Name: voteTool, Description: "Vote in the poll you are asked about, once.", Schema: llm.SchemaOf[voteArgs]()},
		{Name: optOutTool, Description: "Do not vote, when you have no ground to prefer any option.", Schema: llm.SchemaOf[optOutArgs]()},
	}
}

// A vote is what a model chose and why.
type vote struct {
	options []int // ascending
	reason  string
}

// An utterance is what an answer says about a poll.
type utterance struct {
	vote
	optedOut bool
	wrong    string // why it is no vote; empty if it is one
}

// hear finds the vote in an answer: in the call of the tool; else in JSON in its text; else in a text that names exactly
// one option.
func hear(p room.PollOpened, a talk.Answer) utterance {
	var wrong string
	for _, c := range a.Calls {
		switch c.Name {
		case voteTool:
			v, err := read(p, []byte(c.Arguments))
			if err == nil {
				v.reason = talk.First(v.reason, strings.TrimSpace(talk.Clip(a.Text, talk.MaxReason)))
				return utterance{vote: v}
			}
			wrong = talk.First(wrong, err.Error())
		case optOutTool:
			var args optOutArgs
			_ = json.Unmarshal([]byte(c.Arguments), &args) // the call says enough without its reason
			return utterance{vote: vote{reason: strings.TrimSpace(args.Reason)}, optedOut: true}
		default:
			wrong = talk.First(wrong, "there is no tool "+strconv.Quote(talk.Clip(c.Name, 64)))
		}
	}
	if a.OptedOut {
		return utterance{vote: vote{reason: strings.TrimSpace(a.Reason)}, optedOut: true}
	}
	if v, ok := inJSON(p, a.Text); ok {
		return utterance{vote: v}
	}
	if option, ok := named(p, a.Text); ok {
		return utterance{vote: vote{options: []int{option}, reason: strings.TrimSpace(talk.Clip(a.Text, talk.MaxReason))}}
	}
	return utterance{wrong: talk.First(wrong, "it names no option, or more than one")}
}

// inJSON finds an object in the text that is a vote.
func inJSON(p room.PollOpened, text string) (vote, bool) {
	for from := strings.IndexByte(text, '{'); from >= 0; {
		var object json.RawMessage
		if json.NewDecoder(strings.NewReader(text[from:])).Decode(&object) == nil {
			if v, err := read(p, object); err == nil {
				return v, true
			}
		}
		next := strings.IndexByte(text[from+1:], '{')
		if next < 0 {
			break
		}
		from += 1 + next
	}
	return vote{}, false
}

// read reads a vote as a model writes it: options by number or by their text, one or several of them.
func read(p room.PollOpened, data []byte) (vote, error) {
	var args struct {
		Options, Option, Vote json.RawMessage
		Reason, Statement     string
	}
	if !object(string(data)) || json.Unmarshal(data, &args) != nil {
		return vote{}, fmt.Errorf("its arguments are not the JSON that the tool asks for")
	}
	chosen := args.Options
	for _, other := range []json.RawMessage{args.Option, args.Vote} {
		if chosen == nil {
			chosen = other
		}
	}
	options, err := choices(p, chosen)
	if err != nil {
		return vote{}, err
	}
	return vote{options, strings.TrimSpace(talk.Clip(talk.First(args.Reason, args.Statement), talk.MaxReason))}, nil
}

func object(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text))
}

func choices(p room.PollOpened, data json.RawMessage) ([]int, error) {
	var list []any
	if json.Unmarshal(data, &list) != nil {
		var one any
		if len(data) == 0 || json.Unmarshal(data, &one) != nil || one == nil {
			return nil, fmt.Errorf("it has no options")
		}
		list = []any{one}
	}
	var options []int
	for _, c := range list {
		option, ok := choose(p, c)
		if !ok {
			return nil, fmt.Errorf("%s is no option of this poll: it has the numbers 1 to %d", talk.Clip(fmt.Sprintf("%q", fmt.Sprint(c)), 100), len(p.Options))
		}
		if !slices.Contains(options, option) {
			options = append(options, option)
		}
	}
	slices.Sort(options)
	switch {
	case len(options) == 0:
		return nil, fmt.Errorf("it has no options")
	case len(options) > 1 && !p.Multiple:
		return nil, fmt.Errorf("this poll takes exactly one option, and it names %d", len(options))
	}
	return options, nil
}

// ordinal is an option by its number: 2, #2, Option 2, and what may follow it.
var ordinal = regexp.MustCompile(`(?i)^(?:option\s*|number\s*|no\.?\s*)?#?\s*(\d{1,4})(?:[.):]\s*(.*))?$`)

// choose finds the option a model means, by its number or its text.
func choose(p room.PollOpened, c any) (int, bool) {
	switch c := c.(type) {
	case float64:
		n := int(c)
		return n, float64(n) == c && n >= 1 && n <= len(p.Options)
	case string:
		c = talk.OneLine(c)
		if i := exactly(p, c); i > 0 {
			return i, true
		}
		found := ordinal.FindStringSubmatch(c)
		if found == nil {
			return 0, false
		}
		n, _ := strconv.Atoi(found[1])
		if n < 1 || n > len(p.Options) {
			return 0, false
		}
		return n, found[2] == "" || strings.HasPrefix(fold(found[2]), fold(p.Options[n-1].Text))
	}
	return 0, false
}

func exactly(p room.PollOpened, text string) int {
	return 1 + slices.IndexFunc(p.Options, func(o room.Option) bool { return fold(o.Text) == fold(text) })
}

func fold(text string) string { return strings.ToLower(talk.OneLine(text)) }

// byNumber finds options that a text names by their number.
var byNumber = regexp.MustCompile(`(?i)\boption\s+#?(\d{1,4})\b`)

// named finds the one option that a text names. An option that is a part of another one is not named by the other.
func named(p room.PollOpened, text string) (int, bool) {
	text = fold(text)
	var found []int
	for _, m := range byNumber.FindAllStringSubmatch(text, -1) {
		if n, _ := strconv.Atoi(m[1]); n >= 1 && n <= len(p.Options) {
			found = append(found, n)
		}
	}
	order := make([]int, len(p.Options))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(p.Options[b].Text) - len(p.Options[a].Text) })
	for _, i := range order {
		var hit bool
		if text, hit = without(text, fold(p.Options[i].Text)); hit {
			found = append(found, i+1)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) != 1 {
		return 0, false
	}
	return found[0], true
}

// without takes a name out of a text, wherever it stands as words of its own, and reports whether it did.
func without(text, name string) (string, bool) {
	if name == "" {
		return text, false
	}
	hit := false
	for from := 0; ; {
		at := strings.Index(text[from:], name)
		if at < 0 {
			return text, hit
		}
		at += from
		end := at + len(name)
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[end:])
		first, _ := utf8.DecodeRuneInString(name)
		last, _ := utf8.DecodeLastRuneInString(name)
		if word(before) && word(first) || word(after) && word(last) {
			from = end
			continue
		}
		text, hit = text[:at]+"\x00"+text[end:], true
		from = at + 1
	}
}

// word reports whether a rune goes on with a word. Scripts that write without spaces leave no mark between two.
func word(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) && !unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
