package reply

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"parley/llm"
)

const maxReason = 500 // bytes

// reasonOf tells the people in the room why a model did not answer and what to do. The provider's own words are
// repeated only where they help a person; addresses and keys stay in the log.
func reasonOf(name string, err error) string {
	var e *llm.Error
	if !errors.As(err, &e) {
		return name + " could not be asked: try again later, and see the server's log if it stays so"
	}
	provider := firstNonEmpty(e.Provider, "its provider")
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
	return ": " + strings.TrimRight(clip(strings.Join(strings.Fields(e.Err.Error()), " "), 300), ".")
}

func status(e *llm.Error) string {
	if e.Status == 0 {
		return ""
	}
	return fmt.Sprintf(" (status %d)", e.Status)
}

// clip shortens text to at most n bytes.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:boundary(text, n-len("..."))] + "..."
}

func firstNonEmpty(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
