package page

func (s *Server) queryRoutes() []route { return nil }
