package client

// replies holds the words of the replies under way, by message id.
type replies map[string]*talk

type talk struct {
	reply Reply // without its text
	text  []byte
}

// see folds an event and reports whether it makes sense: words that come after others that were lost do not.
func (r replies) see(e Event) bool {
	switch e := e.(type) {
	case Snapshot:
		clear(r)
		for _, reply := range e.Replies {
			r[reply.ID] = &talk{reply, []byte(reply.Text)}
		}
	case Thinking:
		if e.MessageID != "" {
			r[e.MessageID] = &talk{reply: Reply{ID: e.MessageID, ModelID: e.ModelID, ReplyTo: e.ReplyTo, StartedAt: e.At}}
		}
	case Chunk:
		return r.hear(e)
	case MessageReceived:
		delete(r, e.Message.ID)
	case Done:
		delete(r, e.MessageID)
	}
	return true
}

func (r replies) hear(c Chunk) bool {
	t := r[c.MessageID]
	if t == nil {
		t = &talk{reply: Reply{ID: c.MessageID, ModelID: c.ModelID, ReplyTo: c.ReplyTo}}
		r[c.MessageID] = t
	}
	if c.Position < 0 || c.Position > len(t.text) {
		return false
	}
	t.text = append(t.text[:c.Position], c.Text...)
	return true
}
