package config

import "strings"

// borrow takes keys from the variables that people have set for the vendors' own tools, where nothing else says one. A
// key goes to the vendor that it is for and nowhere else: an address of somebody else's gets none.
func (c *Config) borrow(values map[string]string) {
	for l := range c.leaves() {
		key, ok := l.value.Addr().Interface().(*Secret)
		if !ok || key.IsSet() || l.also == nil {
			continue
		}
		name := LLMProvider(strings.TrimSuffix(strings.TrimPrefix(l.key, "providers."), ".api_key"))
		if at := c.provider(name).BaseURL; at != "" && !sameAddress(at, name.baseURL()) {
			continue
		}
		for _, variable := range l.also {
			if text := values[variable]; text != "" {
				*key = NewSecret(text)
				c.note(l.key, origin{env: variable})
				break
			}
		}
	}
}

// fill sets the defaults that follow from other keys: what llm does not say of its provider, providers does. The key
// that is for one address goes to no other.
func (c *Config) fill() {
	name := c.LLM.Provider
	p := c.provider(name)
	if p == nil {
		return
	}
	if p.BaseURL == "" {
		p.BaseURL = name.baseURL()
	}
	section := "providers." + string(name)
	if c.LLM.BaseURL == "" {
		c.LLM.BaseURL = p.BaseURL
		rule := "default of " + string(name)
		if _, set := c.origins[section+".base_url"]; set {
			rule = section + ".base_url"
		}
		c.note("llm.base_url", origin{rule: rule})
	}
	if !c.LLM.APIKey.IsSet() && p.APIKey.IsSet() && sameAddress(c.LLM.BaseURL, p.BaseURL) {
		c.LLM.APIKey = p.APIKey
		c.note("llm.api_key", origin{rule: section + ".api_key"})
	}
}

// provider returns the section of a provider; nil if it has none.
func (c *Config) provider(name LLMProvider) *Provider {
	switch name {
	case LLMOpenAI:
		return &c.Providers.OpenAI
	case LLMAnthropic:
		return &c.Providers.Anthropic
	case LLMGoogle:
		return &c.Providers.Google
	case LLMOpenRouter:
		return &c.Providers.OpenRouter
	case LLMOllama:
		return &c.Providers.Ollama
	case LLMScripted:
		return nil
	}
	return nil
}

// Provider returns how a provider is reached: what llm says of its own, and what providers says of the others.
func (c Config) Provider(name LLMProvider) Provider {
	p := c.provider(name)
	switch {
	case p == nil:
		return Provider{}
	case name == c.LLM.Provider:
		return Provider{APIKey: c.LLM.APIKey, BaseURL: c.LLM.BaseURL}
	case p.BaseURL == "":
		return Provider{APIKey: p.APIKey, BaseURL: name.baseURL()}
	}
	return *p
}

// MissingKey says how to set the key of a provider that refuses whoever has none; empty if nothing is missing.
func (c Config) MissingKey(name LLMProvider) string {
	p := c.Provider(name)
	if p.APIKey.IsSet() || !name.needsKey(p.BaseURL) {
		return ""
	}
	return "set " + or(c.keyVariables(name))
}

// keyVariables are the environment variables that a provider's key may be in.
func (c Config) keyVariables(name LLMProvider) []string {
	var list []string
	if name == c.LLM.Provider {
		list = append(list, env("llm.api_key"))
	}
	l, _ := c.find("providers." + string(name) + ".api_key")
	return append(list, append(l.also, env(l.key))...)
}

// needsKey reports whether the provider is at its own address, where it refuses whoever has no key.
func (p LLMProvider) needsKey(address string) bool {
	switch p {
	case LLMScripted, LLMOllama:
		return false
	case LLMOpenAI, LLMAnthropic, LLMGoogle, LLMOpenRouter:
		return sameAddress(address, p.baseURL())
	}
	return false
}

func sameAddress(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }
