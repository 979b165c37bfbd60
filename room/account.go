package room

// Cost is money spent on models, in billionths of a US dollar.
type Cost int64

// Dollar is one US dollar.
const Dollar Cost = 1_000_000_000

// Usage is what one or more calls of models took.
type Usage struct {
	Input    int  `json:"input,omitempty"`  // tokens
	Output   int  `json:"output,omitempty"` // tokens
	Cost     Cost `json:"cost,omitempty"`
	Unpriced bool `json:"unpriced,omitempty"` // some of it has no known price: Cost is too low
}

// An Allowance is the most that a call may take. Zero fields mean that there is no limit.
type Allowance struct {
	Cost   Cost `json:"cost,omitempty"`
	Tokens int  `json:"tokens,omitempty"` // read and written together
}

// Policy is what a room allows and what it may spend. The server's own limits hold beside it.
type Policy struct {
	ModelPolls bool      `json:"model_polls,omitempty"` // models may open polls
	Total      Allowance `json:"total,omitzero"`        // for as long as the room exists
	Day        Allowance `json:"day,omitzero"`          // from midnight to midnight, UTC
}

// PolicyChanged says what the room allows from now on.
type PolicyChanged struct {
	Policy Policy `json:"policy"`
}

// Purpose says what a call of a model was for, apart from replies, whose events tell themselves what they took.
type Purpose string

// The purposes.
const (
	ForBallot      Purpose = "ballot"
	ForSummary     Purpose = "summary"
	ForInterrupted Purpose = "interrupted" // a reply that was stopped; estimated if the provider did not tell
)

// UsageRecorded says what a call took that ended without a fact of its own to say so.
type UsageRecorded struct {
	Purpose   Purpose  `json:"purpose"`
	Of        Offset   `json:"of"` // the poll, the summary's request, the reply
	Model     ModelID  `json:"model,omitempty"`
	For       PersonID `json:"for,omitempty"` // who led to it
	Autopilot Offset   `json:"autopilot,omitempty"`
	Served    string   `json:"served,omitempty"` // the provider's model
	Usage     Usage    `json:"usage"`
}

func (PolicyChanged) event() {}
func (UsageRecorded) event() {}

// SetPolicy changes what the room allows and may spend. Only an admin may.
type SetPolicy struct{ Policy Policy }

// RecordUsage accounts for an interrupted reply. Only its model may issue it, once.
type RecordUsage struct {
	Reply  Offset
	Served string
	Usage  Usage
}

func (SetPolicy) command()   {}
func (RecordUsage) command() {}

// Accounts are what a room has spent, as its log tells.
type Accounts struct {
	Total  Usage
	Day    Usage  // of the day Date
	Date   string // such as 2026-11-22, UTC; the day of the newest usage
	Models []Account
	People []Account
	Held   Allowance // what calls under way may still take, where they have a limit
}

// An Account is what one model took, or what one person led to.
type Account struct {
	Of    Identity
	Calls int
	Usage Usage
}

// accounts are the State's part of Accounts.
type accounts struct{}

func (a *accounts) add(e *Entry) {}

func (a *accounts) view() Accounts { return Accounts{} }

// allow is the allowance for each of n calls that are to begin now, within the limits of the server, of the room and,
// if it is not 0, of what an autopilot has left. It is refused when nothing is left.
func (s *State) allow(m Meta, n int, left Allowance) (Allowance, error) {
	if s.policy.Total.Cost == 1 {
		return Allowance{}, refuse(CodeConflict, "the room has spent what it may: an admin can allow more")
	}
	return Allowance{Cost: left.Cost / Cost(n)}, nil
}

func (s *State) setPolicy(m Meta, c SetPolicy) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}

func (s *State) recordUsage(m Meta, c RecordUsage) ([]Event, error) {
	return nil, refuse(CodeInternal, "not built yet")
}
