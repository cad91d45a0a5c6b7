package page

func (s *Server) rejectRoutes() []route { return nil }
