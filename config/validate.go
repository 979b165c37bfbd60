package config

import (
	"errors"
	"fmt"
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
	v.between("limits.message_bytes", c.Limits.MessageBytes, 1, 1<<20)
	v.between("room.max_depth", c.Room.MaxDepth, 0, 100)
	v.lasts("llm.timeout", c.LLM.Timeout, time.Millisecond, time.Hour)
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
	if c.BaseURL != "" {
		v.baseURL(c.BaseURL)
	}
	if c.needsKey() && !c.APIKey.IsSet() {
		v.problem("llm.api_key", "empty: llm.provider %s asks for a key; set LLM_API_KEY, or set llm.base_url to a server that needs none",
			c.Provider)
	}
}

// needsKey reports whether the models are at one of the addresses that refuse whoever has no key.
func (c LLM) needsKey() bool {
	switch c.Provider {
	case LLMScripted, LLMOllama:
		return false
	case LLMOpenAI, LLMOpenRouter:
		return c.BaseURL == "" || strings.TrimSuffix(c.BaseURL, "/") == c.Provider.baseURL()
	}
	return false
}

// baseURL never shows an address that may hold a password.
func (v *validation) baseURL(text string) {
	const want = "want one such as http://127.0.0.1:8000/v1"
	u, err := url.Parse(text)
	switch {
	case err != nil:
		v.problem("llm.base_url", "no URL: %s", want)
	case u.User != nil:
		v.problem("llm.base_url", "holds a user name or a password: set llm.api_key instead")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		v.problem("llm.base_url", "no URL of a server: %s", want)
	case u.RawQuery != "" || u.Fragment != "":
		v.problem("llm.base_url", "goes beyond the path: leave out what follows ? or #; %s", want)
	}
}
