package reliability

import (
	"slices"
	"testing"

	"parley/reliability/wire"
	"parley/room"

	roompb "parley/proto/gen/api/room"
)

// Who is told after a resume to be online is who a fresh state shows online: not somebody who left the room and whose
// connection has yet to end.
func TestPresentAgreesWithState(t *testing.T) {
	s := start(t, serverConfig{})
	conn := dial(t, s.addr)
	id := mustRoom(t, conn)
	dora := room.Meta{By: room.PersonIdentity("dora")}
	if _, err := s.hub.Do(t.Context(), room.ID(id), dora, room.Join{}); err != nil {
		t.Fatal(err)
	}
	hangUp, err := s.hub.Enter(t.Context(), room.ID(id), "dora")
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp()
	before := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "eye"}).state
	if _, err := s.hub.Do(t.Context(), room.ID(id), dora, room.Leave{}); err != nil {
		t.Fatal(err)
	}
	fresh := sit(t, conn, &roompb.JoinRoom{RoomId: id, UserId: "eye"}).state
	var want []string
	for _, p := range fresh.GetParticipants() {
		if p.GetIsOnline() {
			want = append(want, p.GetId())
		}
	}
	back := open(t, conn)
	back.send(wire.Join(&roompb.JoinRoom{RoomId: id, UserId: "eye", Cursor: before.GetCursor()}))
	e := back.until(func(e *roompb.ServerEvent) bool { return e.GetPresent() != nil })
	if got := e.GetPresent().GetUserIds(); !slices.Equal(got, want) {
		t.Errorf("online after the resume: %v; in a fresh state: %v", got, want)
	}
}
