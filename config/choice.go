package config

import "log/slog"

// A choice is a key of which only some values are allowed.
type choice interface {
	// Allowed lists the values, the default first.
	Allowed() []string
}

// StoreDriver names a driver of the journal.
type StoreDriver string

// The drivers of the journal.
const (
	StoreEmbedded StoreDriver = "embedded"
	StoreMemory   StoreDriver = "memory"
)

// Allowed lists the drivers.
func (StoreDriver) Allowed() []string { return names(StoreEmbedded, StoreMemory) }

// FanoutDriver names a driver of the bus.
type FanoutDriver string

// FanoutLocal is the bus of one process.
const FanoutLocal FanoutDriver = "local"

// Allowed lists the drivers.
func (FanoutDriver) Allowed() []string { return names(FanoutLocal) }

// LLMProvider names who runs the models.
type LLMProvider string

// The providers. OpenRouter and Ollama are OpenAI's protocol at addresses of their own.
const (
	LLMScripted   LLMProvider = "scripted"
	LLMOpenAI     LLMProvider = "openai"
	LLMAnthropic  LLMProvider = "anthropic"
	LLMGoogle     LLMProvider = "google"
	LLMOpenRouter LLMProvider = "openrouter"
	LLMOllama     LLMProvider = "ollama"
)

// Allowed lists the providers.
func (LLMProvider) Allowed() []string {
	return names(LLMScripted, LLMOpenAI, LLMAnthropic, LLMGoogle, LLMOpenRouter, LLMOllama)
}

// baseURL is the address the provider itself tells its users; empty if it has none.
func (p LLMProvider) baseURL() string {
	switch p {
	case LLMScripted:
		return ""
	case LLMOpenAI:
		return "https://api.openai.com/v1"
	case LLMAnthropic:
		return "https://api.anthropic.com"
	case LLMGoogle:
		return "https://generativelanguage.googleapis.com"
	case LLMOpenRouter:
		return "https://openrouter.ai/api/v1"
	case LLMOllama:
		return "http://127.0.0.1:11434/v1"
	}
	return ""
}

// LogLevel is the least important kind of line that is written.
type LogLevel string

// The levels of the log.
const (
	LogInfo  LogLevel = "info"
	LogDebug LogLevel = "debug"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// Allowed lists the levels.
func (LogLevel) Allowed() []string { return names(LogInfo, LogDebug, LogWarn, LogError) }

// Level makes a LogLevel a slog.Leveler.
func (l LogLevel) Level() slog.Level {
	switch l {
	case LogDebug:
		return slog.LevelDebug
	case LogInfo:
		return slog.LevelInfo
	case LogWarn:
		return slog.LevelWarn
	case LogError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// LogFormat is how a line of the log is written.
type LogFormat string

// The formats of the log.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Allowed lists the formats.
func (LogFormat) Allowed() []string { return names(LogText, LogJSON) }

func names[T ~string](values ...T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}
