"""Preparation: M3D-Data as released brought to the layout that models are shown, by the reference's recipe or ours."""
