package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Validate reports every value that is out of range and every combination that cannot work, joined into one error.
// Load has called it already.
func (c Config) Validate() error {
	v := validation{config: &c}
	v.choices()
	v.between("grpc.port", c.GRPC.Port, 0, 65535)
	v.between("chat.port", c.Chat.Port, 0, 65535)
	v.between("llm.max_tokens", c.LLM.MaxTokens, 0, 10_000_000)
	v.between("llm.context_tokens", c.LLM.ContextTokens, 100, 10_000_000)
	v.between("llm.retries", c.LLM.Retries, 0, 10)
	v.between("llm.max_calls", c.LLM.MaxCalls, 0, 100_000)
	v.between("limits.message_bytes", c.Limits.MessageBytes, 1, 1<<20)
	v.between("budget.total_tokens", c.Budget.TotalTokens, 0, math.MaxInt)
	v.between("budget.day_tokens", c.Budget.DayTokens, 0, math.MaxInt)
	v.between("budget.call_tokens", c.Budget.CallTokens, 1, math.MaxInt)
	v.between("room.max_depth", c.Room.MaxDepth, 0, 100)
	v.lasts("llm.timeout", c.LLM.Timeout, time.Millisecond, time.Hour)
	v.lasts("llm.retry_first", c.LLM.RetryFirst, time.Millisecond, time.Minute)
	v.lasts("llm.retry_most", c.LLM.RetryMost, time.Millisecond, 10*time.Minute)
	v.lasts("limits.slow_after", c.Limits.SlowAfter, time.Millisecond, time.Hour)
	v.store()
	v.chatService()
	v.llm()
	return errors.Join(v.problems...)
}

type validation struct {
	config   *Config
	problems []error
}

func (v *validation) problem(key, format string, args ...any) {
	v.problems = append(v.problems, v.config.origins[key].problem(key, fmt.Errorf(format, args...)))
}

func (v *validation) choices() {
	for l := range v.config.leaves() {
		if c, ok := l.value.Interface().(choice); ok {
			if err := allowed(c, l.value.String()); err != nil {
				v.problem(l.key, "%w", err)
			}
		}
	}
}

func (v *validation) between(key string, n, least, most int) {
	if n < least || n > most {
		v.problem(key, "%d is out of range: want %d to %d", n, least, most)
	}
}

func (v *validation) lasts(key string, d, least, most time.Duration) {
	if d < least || d > most {
		v.problem(key, "%s is out of range: want %s to %s", short(d), short(least), short(most))
	}
}

func (v *validation) store() {
	if s := v.config.Store; s.Driver == StoreEmbedded && s.Path == "" {
		v.problem("store.path", "empty: name a folder, or set store.driver to memory")
	}
}

func (v *validation) chatService() {
	address := v.config.ChatService.Address
	if address == "" {
		return
	}
	host, port, err := net.SplitHostPort(address)
	n, nerr := strconv.ParseUint(port, 10, 16)
	if err != nil || nerr != nil || host == "" || n == 0 {
		v.problem("chat_service.address", "%s is no address: want host:port, such as 127.0.0.1:50051", show(address))
	}
}

func (v *validation) llm() {
	c := v.config.LLM
	if c.BaseURL != "" && v.config.origins["llm.base_url"].rule == "" {
		v.baseURL("llm.base_url", "llm.api_key", c.BaseURL)
	}
	for l := range v.config.leaves() {
		if key, ok := strings.CutSuffix(l.key, ".base_url"); ok && strings.HasPrefix(key, "providers.") && l.value.String() != "" {
			v.baseURL(l.key, key+".api_key", l.value.String())
		}
	}
	if how := v.config.MissingKey(c.Provider); how != "" {
		v.problem("llm.api_key", "empty: llm.provider %s asks for a key; %s, or set llm.base_url to a server that needs none", c.Provider, how)
	}
}

// baseURL never shows an address that may hold a password.
func (v *validation) baseURL(key, secret, text string) {
	const want = "want one such as http://127.0.0.1:8000/v1"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		v.problem(key, "no URL: %s", want)
	case u.User != nil:
		v.problem(key, "holds a user name or a password: set %s instead", secret)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		v.problem(key, "no URL of a server: %s", want)
	case u.RawQuery != "" || u.Fragment != "":
		v.problem(key, "goes beyond the path: leave out what follows ? or #; %s", want)
	}
}
