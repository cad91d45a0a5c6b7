package page

func (s *Server) datasetRoutes() []route { return nil }
