package page

func (s *Server) referenceRoutes() []route { return nil }
