package route_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/llm"
	"parley/llm/llmtest"
	"parley/llm/route"
	"parley/seam"
)

// players make a provider of each name that plays the act it is given.
func players(acts map[string]func(llm.Request) llmtest.Act) (map[string]*llmtest.Player, []route.Provider) {
	all := make(map[string]*llmtest.Player)
	var list []route.Provider
	for name, play := range acts {
		all[name] = llmtest.NewPlayer(play, nil)
		list = append(list, route.Provider{Name: name, Model: all[name]})
	}
	return all, list
}

func ask(ctx context.Context, m llm.Model, models ...string) llmtest.Answer {
	req := llmtest.Ask("hello")
	req.Models = models
	return llmtest.Gather(m.Stream(ctx, req))
}

func refuse(r llmtest.Refusal) func(llm.Request) llmtest.Act {
	return llmtest.Always(llmtest.Act{Refuse: &r})
}

func TestNamesChooseTheProvider(t *testing.T) {
	ok := llmtest.Always(llmtest.Say("ok"))
	for name, want := range map[string]struct {
		provider string
		asked    []string // models
		served   string
	}{
		"anthropic/claude-x":           {"anthropic", []string{"claude-x"}, "anthropic/claude-x"},
		"openrouter/meta/llama-x:free": {"openrouter", []string{"meta/llama-x:free"}, "openrouter/meta/llama-x:free"},
		"openrouter/anthropic/x":       {"openrouter", []string{"anthropic/x"}, "openrouter/anthropic/x"},
		"gpt-x":                        {"openai", []string{"gpt-x"}, "openai/gpt-x"},
		"meta-llama/llama-x":           {"openai", []string{"meta-llama/llama-x"}, "openai/meta-llama/llama-x"},
		"/odd":                         {"openai", []string{"/odd"}, "openai//odd"},
		"anthropic/":                   {"anthropic", nil, "anthropic/player"},
		"":                             {"openai", nil, "openai/player"},
	} {
		t.Run(name, func(t *testing.T) {
			up, list := players(map[string]func(llm.Request) llmtest.Act{"anthropic": ok, "openai": ok, "openrouter": ok})
			got := ask(t.Context(), open(t, route.Config{Default: "openai", Providers: list}), name)
			if got.Err != nil || got.Text != "ok" || got.Model != want.served {
				t.Errorf("got %q of %q, %v, want %q", got.Text, got.Model, got.Err, want.served)
			}
			for provider, player := range up {
				if asked := player.Requests(); (len(asked) == 1) != (provider == want.provider) {
					t.Errorf("%s was asked %d times", provider, len(asked))
				} else if len(asked) == 1 && !slices.Equal(asked[0].Models, want.asked) {
					t.Errorf("%s was asked for %q, want %q", provider, asked[0].Models, want.asked)
				}
			}
		})
	}
}

// A request that names no model at all is the default provider's, as one that names the empty one.
func TestNoNameAtAll(t *testing.T) {
	up, list := players(map[string]func(llm.Request) llmtest.Act{"a": llmtest.Always(llmtest.Say("ok"))})
	got := ask(t.Context(), open(t, route.Config{Default: "a", Providers: list}))
	if got.Err != nil || got.Model != "a/player" || up["a"].Requests()[0].Models != nil {
		t.Errorf("got %+v, asked %+v", got, up["a"].Requests())
	}
}

func TestAProviderThatCannotBeUsedSaysWhy(t *testing.T) {
	_, list := players(map[string]func(llm.Request) llmtest.Act{"openai": llmtest.Always(llmtest.Say("ok"))})
	list = append(list, route.Provider{Name: "anthropic", Why: errors.New("it has no key: set ANTHROPIC_API_KEY")})
	m := open(t, route.Config{Default: "openai", Providers: list, Retry: route.Retry{Times: 5, First: time.Hour, Most: time.Hour}})
	got := ask(t.Context(), m, "anthropic/claude-x")
	if llm.KindOf(got.Err) != llm.Denied || got.Err.Error() != "anthropic: it has no key: set ANTHROPIC_API_KEY" {
		t.Errorf("got %v", got.Err)
	}
	if got := ask(t.Context(), m, "anthropic/claude-x", "openai/gpt-x"); got.Text != "ok" || got.Model != "openai/gpt-x" {
		t.Errorf("with a fallback: got %+v", got)
	}
}

func TestFallsOverAcrossProviders(t *testing.T) {
	var log strings.Builder
	half := llmtest.Say("half ")
	half.End = llmtest.Cut
	_, list := players(map[string]func(llm.Request) llmtest.Act{
		"down": refuse(llmtest.Refusal{Status: 500, Text: "out of order"}),
		"half": llmtest.Always(half),
		"fine": llmtest.Always(llmtest.Say("fine")),
	})
	m := open(t, route.Config{Default: "fine", Providers: list, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if got := ask(t.Context(), m, "down/a", "fine/b", "half/c"); got.Err != nil || got.Text != "fine" || got.Model != "fine/b" {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(log.String(), "model=down/a") || !strings.Contains(log.String(), "out of order") {
		t.Errorf("the log does not tell why: %s", log.String())
	}
	if got := ask(t.Context(), m, "half/c", "fine/b"); got.Text != "half " || llm.KindOf(got.Err) != llm.Broken {
		t.Errorf("after the first word: got %q, %v", got.Text, got.Err)
	}
	if got := ask(t.Context(), m, "down/a", "down/b"); llm.KindOf(got.Err) != llm.Unavailable {
		t.Errorf("all down: got %v", got.Err)
	}
}

// timed plays acts in turn, the last one for ever, and notes when it was asked.
func timed(asked *[]time.Duration, acts ...llmtest.Act) func(llm.Request) llmtest.Act {
	from := time.Now()
	return func(llm.Request) llmtest.Act {
		*asked = append(*asked, time.Since(from))
		return acts[min(len(*asked), len(acts))-1]
	}
}

func TestRetries(t *testing.T) {
	refusal := func(status int, after time.Duration) llmtest.Act {
		return llmtest.Act{Refuse: &llmtest.Refusal{Status: status, Text: "no", RetryAfter: after}}
	}
	half := llmtest.Say("half ")
	half.End = llmtest.Cut
	for name, c := range map[string]struct {
		acts []llmtest.Act
		want []time.Duration // between the tries, at least; at most half as much again
		text string
		kind llm.Kind
	}{
		"overloaded, then well":      {[]llmtest.Act{refusal(529, 0), llmtest.Say("well")}, []time.Duration{time.Second / 2}, "well", ""},
		"unavailable to the end":     {[]llmtest.Act{refusal(503, 0)}, []time.Duration{time.Second / 2, time.Second, 2 * time.Second, 2 * time.Second}, "", llm.Unavailable},
		"it says when":               {[]llmtest.Act{refusal(429, 3*time.Second), llmtest.Say("well")}, []time.Duration{3 * time.Second}, "well", ""},
		"it says too late":           {[]llmtest.Act{refusal(429, 5*time.Second), llmtest.Say("well")}, nil, "", llm.Overloaded},
		"the request is wrong":       {[]llmtest.Act{refusal(400, 0), llmtest.Say("well")}, nil, "", llm.Invalid},
		"the key is wrong":           {[]llmtest.Act{refusal(401, 0), llmtest.Say("well")}, nil, "", llm.Denied},
		"it breaks after a word":     {[]llmtest.Act{half, llmtest.Say("well")}, nil, "half ", llm.Broken},
		"it breaks without one word": {[]llmtest.Act{{End: llmtest.Cut}, llmtest.Say("well")}, nil, "", llm.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []time.Duration
				_, list := players(map[string]func(llm.Request) llmtest.Act{"a": timed(&asked, c.acts...)})
				m := open(t, route.Config{Default: "a", Providers: list, Retry: route.Retry{Times: 4, First: time.Second, Most: 4 * time.Second}})
				got := ask(t.Context(), m, "x")
				if got.Text != c.text || (got.Err != nil) != (c.kind != "") || got.Err != nil && llm.KindOf(got.Err) != c.kind {
					t.Errorf("got %q, %v", got.Text, got.Err)
				}
				if len(asked) != len(c.want)+1 {
					t.Fatalf("asked at %v, want %d retries", asked, len(c.want))
				}
				for i, least := range c.want {
					if waited := asked[i+1] - asked[i]; waited < least || waited > max(2*least, least+2*time.Second) {
						t.Errorf("retry %d after %s, want about %s", i+1, waited, least)
					}
				}
			})
		})
	}
}

// Calls that failed together do not come back together, and the same seed gives the same waits.
func TestRetriesAreSpread(t *testing.T) {
	waits := func(seed uint64) []time.Duration {
		var all []time.Duration
		synctest.Test(t, func(t *testing.T) {
			for range 20 {
				var asked []time.Duration
				_, list := players(map[string]func(llm.Request) llmtest.Act{"a": timed(&asked, llmtest.Act{Refuse: &llmtest.Refusal{Status: 503}})})
				m := open(t, route.Config{
					Default: "a", Providers: list, Random: rand.NewPCG(seed, seed+uint64(len(all))),
					Retry: route.Retry{Times: 1, First: time.Second, Most: time.Second},
				})
				ask(t.Context(), m, "x")
				all = append(all, asked[1])
			}
		})
		return all
	}
	first := waits(1)
	if !slices.Equal(first, waits(1)) {
		t.Error("the same seed gives other waits")
	}
	slices.Sort(first)
	if first[0] < time.Second/2 || first[19] > time.Second || first[19]-first[0] < time.Second/4 {
		t.Errorf("waits from %s to %s, want them all over the half second up to 1s", first[0], first[19])
	}
}

func TestCancelledBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		_, list := players(map[string]func(llm.Request) llmtest.Act{"a": timed(&asked, llmtest.Act{Refuse: &llmtest.Refusal{Status: 503}})})
		m := open(t, route.Config{Default: "a", Providers: list, Retry: route.Retry{Times: 9, First: time.Hour, Most: time.Hour}})
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer time.AfterFunc(time.Second, func() { cancel(enough) }).Stop()
		from := time.Now()
		if got := ask(ctx, m, "x", "y"); !errors.Is(got.Err, enough) || len(asked) != 1 || time.Since(from) != time.Second {
			t.Errorf("got %v after %s and %d tries", got.Err, time.Since(from), len(asked))
		}
	})
}

func TestSoManyCallsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		word := llmtest.Act{Beats: []llmtest.Beat{{Text: "one "}, {Text: "two", Hold: true}}}
		up, list := players(map[string]func(llm.Request) llmtest.Act{"busy": llmtest.Always(word), "free": llmtest.Always(llmtest.Say("ok"))})
		for i := range list {
			list[i].Calls = 2
		}
		m := open(t, route.Config{Default: "busy", Providers: list})
		answers := make(chan llmtest.Answer, 5)
		for range 5 {
			go func() { answers <- ask(t.Context(), m, "x") }()
		}
		synctest.Wait()
		if n := up["busy"].Open(); n != 2 {
			t.Errorf("%d calls at a time, want 2", n)
		}
		if got := ask(t.Context(), m, "free/x"); got.Text != "ok" {
			t.Errorf("another provider: got %q, %v", got.Text, got.Err)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := ask(gone, m, "x"); !errors.Is(got.Err, context.DeadlineExceeded) {
			t.Errorf("whoever cannot wait: got %v", got.Err)
		}
		for i := range 5 {
			up["busy"].Release()
			if got := <-answers; got.Err != nil || got.Text != "one two" {
				t.Errorf("got %q, %v", got.Text, got.Err)
			}
			synctest.Wait()
			if n := up["busy"].Open(); n > 2 || n != min(2, 4-i) {
				t.Errorf("%d calls at a time with %d left", n, 4-i)
			}
		}
	})
}

// Whoever was silent until a limit ended the call is not asked again: the next model may answer.
func TestASlowFailureIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &silent{after: time.Minute}
		_, list := players(map[string]func(llm.Request) llmtest.Act{"fine": llmtest.Always(llmtest.Say("fine"))})
		list = append(list, route.Provider{Name: "slow", Model: slow})
		m := open(t, route.Config{Default: "slow", Providers: list, Retry: route.Retry{Times: 3, First: time.Second, Most: 20 * time.Second}})
		if got := ask(t.Context(), m, "slow/x", "fine/x"); got.Text != "fine" || slow.asked != 1 {
			t.Errorf("got %q, %v after %d tries", got.Text, got.Err, slow.asked)
		}
	})
}

// silent says nothing until it is given up.
type silent struct {
	after time.Duration
	asked int
}

func (s *silent) Stream(context.Context, llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		s.asked++
		time.Sleep(s.after)
		yield(llm.Delta{}, &llm.Error{Kind: llm.Unavailable, Provider: "slow", Err: errors.New("the provider went silent")})
	}
}

// A call that waits to ask again takes nobody's turn.
func TestTurnsAreFreeBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, list := players(map[string]func(llm.Request) llmtest.Act{"a": func(req llm.Request) llmtest.Act {
			if req.Models[0] == "down" {
				return llmtest.Act{Refuse: &llmtest.Refusal{Status: 503}}
			}
			return llmtest.Say("ok")
		}})
		list[0].Calls = 1
		m := open(t, route.Config{Default: "a", Providers: list, Retry: route.Retry{Times: 1, First: time.Minute, Most: time.Minute}})
		down := make(chan llmtest.Answer)
		go func() { down <- ask(t.Context(), m, "down") }()
		synctest.Wait()
		from := time.Now()
		if got := ask(t.Context(), m, "up"); got.Text != "ok" || time.Since(from) != 0 {
			t.Errorf("got %q, %v after %s", got.Text, got.Err, time.Since(from))
		}
		<-down
	})
}

// lister is a provider with a list.
type lister struct {
	llm.Model
	list  []llm.Info
	err   error
	hang  bool
	asked int
}

func (l *lister) List(ctx context.Context) ([]llm.Info, error) {
	l.asked++
	if l.hang {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return l.list, l.err
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		player := llmtest.NewPlayer(llmtest.Always(llmtest.Say("ok")), nil)
		a := &lister{Model: player, list: []llm.Info{{Name: "x", Tools: true, Context: 9}}}
		b := &lister{Model: player, list: []llm.Info{{Name: "m/y", Title: "Y"}}}
		down, hangs := &lister{Model: player, err: errors.New("no")}, &lister{Model: player, hang: true}
		m := open(t, route.Config{Default: "b", Providers: []route.Provider{
			{Name: "a", Model: a},
			{Name: "b", Model: b},
			{Name: "down", Model: down},
			{Name: "hangs", Model: hangs},
			{Name: "silent", Model: player},
			{Name: "none", Why: errors.New("no key")},
		}})
		want := []llm.Info{{Name: "b/m/y", Title: "Y"}, {Name: "a/x", Title: "x", Tools: true, Context: 9}}
		for range 2 {
			if got, err := m.List(t.Context()); err != nil || !slices.Equal(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		}
		if a.asked != 1 || down.asked != 2 {
			t.Errorf("asked for a good list %d times, for a bad one %d times, want 1 and 2", a.asked, down.asked)
		}
		time.Sleep(5 * time.Minute)
		if _, err := m.List(t.Context()); err != nil || a.asked != 2 {
			t.Errorf("after five minutes: %v, asked %d times", err, a.asked)
		}
		only := open(t, route.Config{Default: "hangs", Providers: []route.Provider{{Name: "hangs", Model: hangs}}})
		if _, err := only.List(t.Context()); llm.KindOf(err) != llm.Unavailable || !strings.Contains(err.Error(), "too long") {
			t.Errorf("got %v", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	player := llmtest.NewPlayer(llmtest.Always(llmtest.Say("ok")), nil)
	good := route.Config{Default: "a", Providers: []route.Provider{{Name: "a", Model: player}}, Clock: seam.Real(), Random: rand.NewPCG(1, 2)}
	for name, change := range map[string]func(*route.Config){
		"no Clock":          func(c *route.Config) { c.Clock = nil },
		"no Random":         func(c *route.Config) { c.Random = nil },
		"no default":        func(c *route.Config) { c.Default = "b" },
		"a slash":           func(c *route.Config) { c.Providers = []route.Provider{{Name: "a/b", Model: player}} },
		"twice":             func(c *route.Config) { c.Providers = append(c.Providers, c.Providers[0]) },
		"neither model nor": func(c *route.Config) { c.Providers = []route.Provider{{Name: "a"}} },
	} {
		cfg := good
		cfg.Providers = slices.Clone(good.Providers)
		change(&cfg)
		if _, err := route.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := route.New(good); err != nil {
		t.Error(err)
	}
}
