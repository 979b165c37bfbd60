package talk

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"parley/llm"
)

// MaxReason is how many bytes a reason has at most.
const MaxReason = 500

// Why tells the people in the room why a model did not answer and what to do. The provider's own words are
// repeated only where they help a person; addresses and keys stay in the log.
func (a Asker) Why(name string, err error) string {
	if errors.Is(err, ErrSilent) {
		return fmt.Sprintf("%s was silent for %gs: ask again", name, a.Silence.Seconds())
	}
	var e *llm.Error
	if !errors.As(err, &e) {
		return name + " could not be asked: try again later, and see the server's log if it stays so"
	}
	provider := First(e.Provider, "its provider")
	switch e.Kind {
	case llm.Denied:
		return fmt.Sprintf("%s cannot answer: %s did not accept the server's key for it. "+
			"Whoever runs the server has to set a valid key (LLM_API_KEY)", name, provider)
	case llm.Overloaded:
		return fmt.Sprintf("%s cannot answer now: %s has too much to do, or its quota is used up. Try again %s", name, provider, after(e.RetryAfter))
	case llm.Invalid:
		return fmt.Sprintf("%s cannot answer: %s refused the request%s. Check the model's settings", name, provider, because(e))
	case llm.Broken:
		return fmt.Sprintf("%s was cut off: the connection to %s broke. Ask again", name, provider)
	case llm.Unavailable:
	}
	return fmt.Sprintf("%s cannot answer now: %s cannot be reached or failed%s. Try again later", name, provider, status(e))
}

func after(d time.Duration) string {
	if d <= 0 {
		return "later"
	}
	return "in " + max(d.Round(time.Second), time.Second).String()
}

func because(e *llm.Error) string {
	if e.Err == nil {
		return status(e)
	}
	return ": " + strings.TrimRight(Clip(strings.Join(strings.Fields(e.Err.Error()), " "), 300), ".")
}

func status(e *llm.Error) string {
	if e.Status == 0 {
		return ""
	}
	return fmt.Sprintf(" (status %d)", e.Status)
}

// Clip shortens text to at most n bytes.
func Clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:Boundary(text, n-len("..."))] + "..."
}

// First returns the first text that is not empty.
func First(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// Boundary is the last place in text, at most n, at which it may be cut.
func Boundary(text string, n int) int {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}
