package scripted

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"parley/llm"
)

// A Script is what a Model answers. It does not change once it is loaded and may be shared.
//
// In YAML:
//
//	name: demo                        # becomes the model's name, scripted/demo
//	pace: {first: 300ms, word: 40ms}  # before the first word, between words
//	facts:                            # name: pattern with one group, searched in the system message
//	  me: 'You are (\w+)'
//	rules:                            # the first that matches and has a fitting reply answers
//	  - name: greeting
//	    match: '(?i)\bhello\b'        # regexp (RE2) on the last message without "[Maja]: " and leading mentions; or a
//	                                  # list of them; none matches everything
//	    system: 'your turn'           # regexp on the system message, as well
//	    result_of: look_up            # instead of match: the last message is this tool's result ("*": any tool's)
//	    pace: {first: 1s}
//	    spread: true                  # models of one room, by the facts me and others, take replies side by side
//	    replies:                      # several: chosen by a hash of the conversation; a plain string is a text
//	      - Hello {speaker}!
//	      - text: Let me see.
//	        reasoning: They said hello.
//	        tool_calls: [{name: look_up, arguments: {who: '{speaker}'}}]
//	        opt_out: false            # true declines to answer; text is the reason
//	        error: {kind: overloaded, text: too busy, retry_after: 2s}  # after the text, if any
//
// {name} in a text is replaced by a fact, by {speaker}, {message}, {quote} (the message cut short), {model} (the name
// asked for), {tool} and {result} (the tool that answered), {1} or a named group of the pattern; {name|word} gives a
// word for when it is not known, and \{ is a brace. A reply that needs something unknown, or a tool that the request
// does not offer, is passed over.
type Script struct {
	name  string
	pace  pace
	facts []fact
	rules []rule
}

type pace struct{ first, word time.Duration }

type fact struct {
	name    string
	pattern *regexp.Regexp
}

type rule struct {
	name     string
	patterns []*regexp.Regexp
	system   *regexp.Regexp
	resultOf string
	spread   bool
	replies  []reply
}

type reply struct {
	text      text
	reasoning text
	calls     []call
	optOut    bool
	fail      *failure
	pace      pace
}

type call struct {
	name      string
	arguments any // as decoded from YAML, with texts for strings
}

type failure struct {
	kind       llm.Kind
	text       string
	retryAfter time.Duration
}

// Load reads a script from a file. Its errors name the line and the field of everything that is wrong.
func Load(path string) (*Script, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load script: %w", err)
	}
	return Parse(filepath.Base(path), data)
}

//go:embed demo.yaml
var demo []byte

// Demo is the built-in script: a friendly conversation for a room of several people and models.
func Demo() *Script {
	s, err := Parse("demo.yaml", demo)
	if err != nil {
		panic(err) // the script is part of the program, and a test loads it
	}
	return s
}
