package hub

// OpenRooms returns how many rooms the hub has open.
func OpenRooms(h *Hub) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.rooms)
}
