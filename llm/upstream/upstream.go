// Package upstream is what drivers share that reach a provider over HTTP: a client for streams, a Watch over each call's
// silence, and the way in which a provider's failures become llm.Errors.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/llm"
	"parley/seam"
)

// DefaultSilence is the longest wait for a provider's next word where a driver's Config says nothing else.
const DefaultSilence = 2 * time.Minute

const maxErrorText = 400 // bytes of a provider's words that are repeated

// NewHTTPClient makes a client for streams: connections stay open between calls, nothing is compressed (a compressor
// holds words back), and no limit cuts a long answer. Share one among Models that speak to the same hosts.
func NewHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
	}}
}

// BaseURL checks an address and takes the slashes off its end.
func BaseURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("base URL %q is no http or https address", text)
	}
	return strings.TrimRight(text, "/"), nil
}

// A Provider says whose failures they are. It is a value; copies are as good.
type Provider struct {
	Name  string // for llm.Error
	Key   string // never repeated
	Clock seam.Clock
}

// Fault is a failure without an HTTP status.
func (p Provider) Fault(kind llm.Kind, model string, err error) *llm.Error {
	return &llm.Error{Kind: kind, Provider: p.Name, Model: model, Err: err}
}

// Refusal is an answer with an error's status. text are the provider's words, which may be empty.
func (p Provider) Refusal(model string, status int, h http.Header, text string) *llm.Error {
	switch {
	case status == http.StatusUnauthorized:
		text = "the key is missing or was refused" // the provider's own words may quote parts of the key
	case text == "":
		text = http.StatusText(status)
	}
	e := p.Fault(KindOf(status), model, fmt.Errorf("HTTP %d: %s", status, p.Clean(text)))
	e.Status, e.RetryAfter = status, RetryAfter(h, p.Clock.Now())
	return e
}

// Unreached says why a call came to nothing before the provider answered it.
func (p Provider) Unreached(ctx context.Context, w *Watch, model string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	if w.Silent() {
		return p.Fault(llm.Unavailable, model, errSilent)
	}
	// The text of a *url.Error is the whole address; its cause is enough.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return p.Fault(llm.Unavailable, model, fmt.Errorf("reach the provider: %w", err))
}

// Cut says why a stream ended before its answer did. said tells whether anything of the answer had come; err is nil
// for a stream that ended politely.
func (p Provider) Cut(ctx context.Context, w *Watch, model string, said bool, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	switch {
	case w.Silent() && !said:
		return p.Fault(llm.Unavailable, model, errSilent)
	case w.Silent():
		err = errSilent
	case err == nil:
		err = errors.New("the stream ended before the answer did")
	default:
		err = fmt.Errorf("the stream broke: %w", err)
	}
	return p.Fault(llm.Broken, model, err)
}

// Clean makes a provider's words fit for the room: one short line without the key.
func (p Provider) Clean(text string) string {
	if p.Key != "" {
		text = strings.ReplaceAll(text, p.Key, "***")
	}
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if text == "" {
		text = "no reason given"
	}
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return text
}

// KindOf sorts HTTP statuses (https://platform.openai.com/docs/guides/error-codes, https://openrouter.ai/docs/errors). 529 is Anthropic's for an overload of all its users.
func KindOf(status int) llm.Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return llm.Denied
	case status == http.StatusTooManyRequests, status == http.StatusPaymentRequired, status == 529:
		return llm.Overloaded
	case status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return llm.Unavailable
	}
	return llm.Invalid
}

// RetryAfter reads Retry-After (RFC 9110, 10.2.3: seconds or a date), or the finer Retry-After-Ms of OpenAI; 0 if there
// is none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if s, err := strconv.ParseFloat(h.Get("Retry-After"), 64); err == nil && s > 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
