package openai

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3/option"

	"parley/llm"
	"parley/llm/upstream"
)

// maxList is as much of a list of models as is read, in bytes. OpenRouter's, the longest, is under 1 MB.
const maxList = 16 << 20

// An offer is one model of GET /models (https://platform.openai.com/docs/api-reference/models/list), with what some
// endpoints tell beside its id.
type offer struct {
	ID            string   `json:"id"`
	Created       int64    `json:"created"`
	Name          string   `json:"name"`                 // OpenRouter
	ContextLength int      `json:"context_length"`       // OpenRouter
	MaxModelLen   int      `json:"max_model_len"`        // vLLM
	ContextWindow int      `json:"context_window"`       // Groq
	Parameters    []string `json:"supported_parameters"` // OpenRouter; "tools" is one
	Architecture  struct {
		Output []string `json:"output_modalities"` // OpenRouter
	} `json:"architecture"`
}

// List names what the endpoint offers, newest first. Models that are known to write no text are left out. Whether one
// can call tools is taken as true where the endpoint does not tell.
func (m *Model) List(ctx context.Context) ([]llm.Info, error) {
	call, w := upstream.NewWatch(ctx, m.cfg.Clock, m.cfg.Silence)
	defer w.Stop()
	offers, err := m.offers(call)
	if err != nil {
		return nil, m.by.Unreached(ctx, w, "", err)
	}
	slices.SortStableFunc(offers, func(a, b offer) int { return cmp.Compare(b.Created, a.Created) })
	var list []llm.Info
	seen := make(map[string]bool, len(offers))
	for _, o := range offers {
		if o.ID == "" || seen[o.ID] || !m.talks(o) {
			continue
		}
		seen[o.ID] = true
		list = append(list, llm.Info{
			Name: o.ID, Title: o.Name, Context: max(0, o.ContextLength, o.MaxModelLen, o.ContextWindow),
			Tools: o.Parameters == nil || slices.Contains(o.Parameters, "tools"),
		})
	}
	return list, nil
}

func (m *Model) offers(ctx context.Context) ([]offer, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	var res *http.Response
	err := m.client.Get(ctx, "models", nil, &res, option.WithHeader("Accept", "application/json"))
	if err != nil && res == nil {
		return nil, err
	}
	if err != nil {
		return nil, m.refusal("", res)
	}
	defer func() { _ = res.Body.Close() }()
	var list struct {
		Data *[]offer `json:"data"`
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxList))
	if err != nil {
		return nil, fmt.Errorf("read its list of models: %w", err)
	}
	if json.Unmarshal(data, &list) != nil || list.Data == nil {
		return nil, m.by.Fault(llm.Unavailable, "", errors.New("it answered with no list of models"))
	}
	return *list.Data, nil
}

// mute are the words in the names of OpenAI's models that do not answer in text over Chat Completions.
var mute = []string{
	"embedding", "whisper", "tts", "dall-e", "image", "moderation", "transcribe", "realtime", "audio", "sora",
	"davinci", "babbage", "instruct",
}

// talks reports whether a model answers in text, as far as can be known. Only OpenAI's own are judged by their names.
func (m *Model) talks(o offer) bool {
	if o.Architecture.Output != nil {
		return slices.Contains(o.Architecture.Output, "text")
	}
	return !m.official || !slices.ContainsFunc(mute, func(word string) bool { return strings.Contains(o.ID, word) })
}
