//! sixgate-fabric
