// Package config says how a Parley process is set up: one typed Config, read from a file and the environment.
//
// What holds, weakest first: the defaults (Default), the file config.yaml, the environment. Every key has an
// environment variable, which is its path in capitals joined by `_`: grpc.port is GRPC_PORT. An environment variable
// that is empty counts as not set, and so does a key in the file without a value.
//
// Load is deterministic: it reads the one file and the environment it is given and nothing else, and it reports every
// problem it finds at once, each with the place to mend. It does not look at the machine: whether a port is free or a
// folder can be written is for those who use it. A Config is a plain value; copies are safe to share once loaded.
package config

import "time"

// Config is everything that can be set. The tags name a key and explain it; config.example.yaml is made from them.
type Config struct {
	GRPC        GRPC        `key:"grpc" doc:"The gRPC server that people and programs join rooms through."`
	ChatService ChatService `key:"chat_service" doc:"The service that models answer through."`
	Chat        Chat        `key:"chat" doc:"The Chat service alone, as parley chat serves it."`
	Store       Store       `key:"store" doc:"Where the log of the rooms is kept."`
	Fanout      Fanout      `key:"fanout" doc:"How what happens in a room reaches other processes."`
	LLM         LLM         `key:"llm" doc:"The language models, and the provider of those whose name says no other."`
	Providers   Providers   `key:"providers" doc:"The providers that the first part of a model's name chooses among: anthropic/claude-..., openai/gpt-.... What llm says of its own provider counts before this."`
	Prices      Prices      `key:"prices" doc:"What models cost. The price of a model that is not listed is unknown, but for those of scripted and ollama, which are free."`
	Budget      Budget      `key:"budget" doc:"What a room may spend on models; an admin of the room can set it lower for that room. 0 is no limit."`
	Limits      Limits      `key:"limits" doc:"What one client may ask for."`
	Room        Room        `key:"room" doc:"Rules of a room."`
	Log         Log         `key:"log" doc:"What the process writes about itself, to standard error."`

	origins map[string]origin // by key, of every value that is not a default
}

// GRPC is where the server of api.room.Room listens.
type GRPC struct {
	Host string `key:"host" doc:"Address to listen on; 0.0.0.0 is every interface."`
	Port int    `key:"port" doc:"Port to listen on; 0 takes any free one."`
}

// ChatService is where models are reached.
type ChatService struct {
	Address string `key:"address" doc:"host:port of a parley chat; empty runs the models in this process."`
}

// Chat is where `parley chat` listens.
type Chat struct {
	Host string `key:"host" doc:"Address to listen on; 0.0.0.0 is every interface."`
	Port int    `key:"port" doc:"Port to listen on; 0 takes any free one."`
}

// Store is the journal's driver and place.
type Store struct {
	Driver StoreDriver `key:"driver" doc:"embedded keeps it on this disk, memory forgets it at the end."`
	Path   string      `key:"path" doc:"Folder of the embedded store, seen from the working folder."`
}

// Fanout is the bus between processes.
type Fanout struct {
	Driver FanoutDriver `key:"driver" doc:"local serves one process."`
}

// LLM is the provider of models and what one answer may cost.
type LLM struct {
	Provider      LLMProvider   `key:"provider" doc:"Who is asked for a model whose name says no provider; scripted is a demo that needs no key."`
	Model         string        `key:"model" doc:"Model for those in a room that name none, as the provider calls it."`
	APIKey        Secret        `key:"api_key" doc:"The provider's key. Better set in the environment than in a file."`
	BaseURL       string        `key:"base_url" doc:"Where the provider is; up to and with /v1, where it speaks OpenAI's protocol. Empty is the provider's own address."`
	Script        string        `key:"script" doc:"YAML file the scripted provider answers from; empty is the built-in one."`
	Timeout       time.Duration `key:"timeout" doc:"A model that says nothing for so long has failed. Before its first word it is asked again, where this is shorter than retry_most, and then the next model of its list; in the midst of an answer the reply ends there, and what was said stays."`
	MaxTokens     int           `key:"max_tokens" doc:"Most tokens of one answer; 0 leaves it to the provider."`
	ContextTokens int           `key:"context_tokens" doc:"Most tokens of a room that a model is shown; the oldest messages go first."`
	Retries       int           `key:"retries" doc:"How often a provider that is overloaded or unavailable is asked again, unless it has begun to answer."`
	RetryFirst    time.Duration `key:"retry_first" doc:"The wait before it is asked again; it doubles each time."`
	RetryMost     time.Duration `key:"retry_most" doc:"The longest such wait. A provider that wants a longer one is not asked again."`
	MaxCalls      int           `key:"max_calls" doc:"Most calls under way at one provider, the others wait for their turn; 0 is no limit."`
}

// Providers are the providers beside the scripted one, which needs nothing. The tag env names the variables that
// people have set already for the vendors' own tools: they hold a key when nothing of ours does.
type Providers struct {
	OpenAI     Provider `key:"openai" doc:"OpenAI, or an endpoint that speaks its protocol." env:"OPENAI_API_KEY"`
	Anthropic  Provider `key:"anthropic" doc:"Anthropic's Claude." env:"ANTHROPIC_API_KEY"`
	Google     Provider `key:"google" doc:"Google's Gemini." env:"GEMINI_API_KEY,GOOGLE_API_KEY"`
	OpenRouter Provider `key:"openrouter" doc:"OpenRouter, which has the models of many: openrouter/meta-llama/..." env:"OPENROUTER_API_KEY"`
	Ollama     Provider `key:"ollama" doc:"Models on this machine; a key is for a proxy before it."`
}

// Provider is how one provider is reached.
type Provider struct {
	APIKey  Secret `key:"api_key" doc:"Its key. Better set in the environment than in a file."`
	BaseURL string `key:"base_url" doc:"Where it is."`
}

// Prices is the table of prices.
type Prices struct {
	Models ModelPrices `key:"models" doc:"US dollars for a million tokens, by the model's whole name or its beginning and a *. As one text: NAME INPUT OUTPUT CACHED; NAME ..." sample:"anthropic/claude-opus-4-5*: {input: 5, output: 25, cached: 0.50} # platform.claude.com/docs/en/about-claude/pricing, November 2026"`
}

// Budget is what holds in every room. Calls end a room's money before they begin, not after.
type Budget struct {
	Total       Dollars `key:"total" doc:"US dollars, for as long as a room exists."`
	Day         Dollars `key:"day" doc:"US dollars a day, from midnight to midnight UTC."`
	Call        Dollars `key:"call" doc:"US dollars that one call may take, where there is any limit of money."`
	TotalTokens int     `key:"total_tokens" doc:"Tokens, read and written, for as long as a room exists."`
	DayTokens   int     `key:"day_tokens" doc:"Tokens a day."`
	CallTokens  int     `key:"call_tokens" doc:"Tokens that one call may take, where there is any limit of tokens."`
}

// Limits protect the server from its clients.
type Limits struct {
	MessageBytes int           `key:"message_bytes" doc:"Longest message, in bytes of UTF-8."`
	SlowAfter    time.Duration `key:"slow_after" doc:"A client that takes nothing for so long is cut off; it may resume."`
}

// Room is what holds in every room.
type Room struct {
	MaxDepth int    `key:"max_depth" doc:"How many times in a row models may ask one another; 0 forbids it."`
	Secret   Secret `key:"secret" doc:"Makes the pseudonyms of voters in anonymous polls: the same on every server of a log. Empty is one of its own, kept in the store's folder."`
}

// Log is the process's own log.
type Log struct {
	Level  LogLevel  `key:"level" doc:"The least important lines to write."`
	Format LogFormat `key:"format" doc:"text for people, json for machines."`
}

// Default returns the configuration of a process that nobody configured.
func Default() Config {
	return Config{
		GRPC:   GRPC{Host: "127.0.0.1", Port: 50052},
		Chat:   Chat{Host: "127.0.0.1", Port: 50051},
		Store:  Store{Driver: StoreEmbedded, Path: "data"},
		Fanout: Fanout{Driver: FanoutLocal},
		LLM: LLM{
			Provider: LLMScripted, Timeout: time.Minute, ContextTokens: 8000,
			Retries: 2, RetryFirst: 500 * time.Millisecond, RetryMost: 20 * time.Second, MaxCalls: 64,
		},
		Providers: Providers{
			OpenAI:     Provider{BaseURL: LLMOpenAI.baseURL()},
			Anthropic:  Provider{BaseURL: LLMAnthropic.baseURL()},
			Google:     Provider{BaseURL: LLMGoogle.baseURL()},
			OpenRouter: Provider{BaseURL: LLMOpenRouter.baseURL()},
			Ollama:     Provider{BaseURL: LLMOllama.baseURL()},
		},
		Budget: Budget{Call: billion / 2, CallTokens: 50_000},
		Limits: Limits{MessageBytes: 32 << 10, SlowAfter: 10 * time.Second},
		Room:   Room{MaxDepth: 4},
		Log:    Log{Level: LogInfo, Format: LogText},
	}
}
