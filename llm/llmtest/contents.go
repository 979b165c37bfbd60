package llmtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"parley/llm"
)

// A contentsBody is the body of a request of the Gemini API, with the fields that a driver may send. Any other is
// refused.
type contentsBody struct {
	System   *content  `json:"systemInstruction"`
	Contents []content `json:"contents"`
	Tools    []struct {
		Functions []struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Schema      json.RawMessage `json:"parametersJsonSchema"`
		} `json:"functionDeclarations"`
	} `json:"tools"`
	Generation struct {
		MaxTokens int             `json:"maxOutputTokens"`
		MIMEType  string          `json:"responseMimeType"`
		Schema    json.RawMessage `json:"responseJsonSchema"`
		Thinking  *struct {
			Include bool `json:"includeThoughts"`
		} `json:"thinkingConfig"`
	} `json:"generationConfig"`
}

type content struct {
	Role  string        `json:"role"`
	Parts []contentPart `json:"parts"`
}

type contentPart struct {
	Text      string `json:"text"`
	Signature []byte `json:"thoughtSignature"`
	Call      *struct {
		ID   string          `json:"id"`
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	} `json:"functionCall"`
	Response *struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Response struct {
			Output *string `json:"output"`
		} `json:"response"`
	} `json:"functionResponse"`
}

func readContents(body io.Reader, cfg GoogleConfig) (llm.Request, error) {
	var b contentsBody
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return llm.Request{}, fmt.Errorf("invalid JSON payload received: %w", err)
	}
	if err := b.check(cfg); err != nil {
		return llm.Request{}, err
	}
	req := llm.Request{MaxTokens: b.Generation.MaxTokens}
	if b.System != nil {
		for _, p := range b.System.Parts {
			req.Messages = append(req.Messages, llm.Message{Role: llm.System, Text: p.Text})
		}
	}
	for _, c := range b.Contents {
		req.Messages = append(req.Messages, c.read()...)
	}
	for _, t := range b.Tools {
		for _, f := range t.Functions {
			req.Tools = append(req.Tools, llm.Tool{Name: f.Name, Description: f.Description, Schema: f.Schema})
		}
	}
	if b.Generation.MIMEType == "application/json" {
		req.Format = &llm.Format{Schema: b.Generation.Schema}
	}
	return req, nil
}

func (b contentsBody) check(cfg GoogleConfig) error {
	switch {
	case len(b.Contents) == 0:
		return errors.New("* GenerateContentRequest.contents: contents is not specified")
	case b.Generation.Thinking != nil && cfg.NoThoughts:
		return errors.New("thinking is not enabled for models/test-model")
	case b.Generation.MIMEType != "" && b.Tools != nil && cfg.NoFormat:
		return errors.New("function calling with a response mime type: 'application/json' is unsupported")
	case b.Generation.Schema != nil && b.Generation.MIMEType != "application/json":
		return errors.New("response_json_schema needs the response mime type application/json")
	case b.Contents[len(b.Contents)-1].Role != "user":
		return errors.New("please ensure that single turn requests end with a user role")
	}
	for i, c := range b.Contents {
		if err := c.check(cfg); err != nil {
			return fmt.Errorf("* GenerateContentRequest.contents[%d]: %w", i, err)
		}
		if c.results() == 0 {
			continue
		}
		if i == 0 || b.Contents[i-1].calls() != c.results() {
			return errors.New("please ensure that the number of function response parts is equal to the number of function call parts of the function call turn")
		}
	}
	return nil
}

func (c content) check(cfg GoogleConfig) error {
	if c.Role != "user" && c.Role != "model" {
		return errors.New("please use a valid role: user, model")
	}
	if len(c.Parts) == 0 {
		return errors.New("parts must not be empty")
	}
	signed := false
	for _, p := range c.Parts {
		said := 0
		for _, has := range []bool{p.Text != "", p.Call != nil, p.Response != nil} {
			if has {
				said++
			}
		}
		if said != 1 {
			return errors.New("part: required oneof field 'data' must have one initialized field")
		}
		if p.Call != nil && c.Role != "model" || p.Response != nil && (c.Role != "user" || p.Response.Name == "" || p.Response.Response.Output == nil) {
			return errors.New("a call is the model's, a response the user's, with a name and an output")
		}
		signed = signed || p.Call != nil && (string(p.Signature) == string(signatureOf(p.Call.ID)) || string(p.Signature) == "skip_thought_signature_validator")
	}
	if cfg.Signed && c.calls() > 0 && !signed {
		return errors.New("function call is missing a thought_signature in functionCall parts")
	}
	return nil
}

func (c content) calls() (n int) {
	for _, p := range c.Parts {
		if p.Call != nil {
			n++
		}
	}
	return n
}

func (c content) results() (n int) {
	for _, p := range c.Parts {
		if p.Response != nil {
			n++
		}
	}
	return n
}

// read takes a content apart: all of the model's is one message, results and words of the user are one each.
func (c content) read() []llm.Message {
	model := llm.Message{Role: llm.Assistant}
	var out []llm.Message
	for _, p := range c.Parts {
		switch {
		case p.Call != nil:
			args := string(p.Call.Args)
			if args == "" {
				args = "{}"
			}
			model.ToolCalls = append(model.ToolCalls, llm.ToolCall{ID: p.Call.ID, Name: p.Call.Name, Arguments: args})
		case p.Response != nil:
			out = append(out, llm.Message{Role: llm.ToolResult, Text: *p.Response.Response.Output, ToolCallID: p.Response.ID})
		case c.Role == "model":
			model.Text += p.Text
		default:
			out = append(out, llm.Message{Role: llm.User, Text: p.Text})
		}
	}
	if c.Role == "model" {
		return []llm.Message{model}
	}
	return out
}
