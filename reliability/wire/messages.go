package wire

import roompb "parley/proto/gen/api/room"

// Join takes a seat.
func Join(j *roompb.JoinRoom) *roompb.ClientMessage {
	return &roompb.ClientMessage{Payload: &roompb.ClientMessage_Join{Join: j}}
}

// Post says something, under a key.
func Post(key, text string) *roompb.ClientMessage {
	said := &roompb.SendMessage{Content: text}
	return &roompb.ClientMessage{ClientId: key, Payload: &roompb.ClientMessage_Message{Message: said}}
}

// Ping asks for a pong that carries the key.
func Ping(key string) *roompb.ClientMessage {
	return &roompb.ClientMessage{ClientId: key, Payload: &roompb.ClientMessage_Ping{Ping: &roompb.Ping{}}}
}

// Typing tells that the sender writes.
func Typing(on bool) *roompb.ClientMessage {
	return &roompb.ClientMessage{Payload: &roompb.ClientMessage_Typing{Typing: &roompb.TypingIndicator{IsTyping: on}}}
}

// Interrupt stops a reply, or all of a model if the reply is empty.
func Interrupt(model, reply string) *roompb.ClientMessage {
	stop := &roompb.InterruptLLM{LlmId: model}
	if reply != "" {
		stop.MessageId = &reply
	}
	return &roompb.ClientMessage{Payload: &roompb.ClientMessage_Interrupt{Interrupt: stop}}
}

// Acknowledged returns the offset at which the message with a key is stored, if the event tells it.
func Acknowledged(e *roompb.ServerEvent) (key string, offset uint64, ok bool) {
	if a := e.GetAccepted(); a != nil {
		return e.GetClientId(), a.GetOffset(), true
	}
	return e.GetClientId(), e.GetOffset(), e.GetClientId() != "" && e.GetOffset() != 0
}
