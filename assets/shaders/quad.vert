// A quad over the whole target. v_world runs in neurons, y down: u_corner at the top left, u_span over the screen.
attribute vec2 a_position;
uniform vec2 u_corner;
uniform vec2 u_span;
varying vec2 v_world;

void main() {
    gl_Position = vec4(a_position, 0.0, 1.0);
    v_world = u_corner + u_span * vec2(0.5 + 0.5 * a_position.x, 0.5 - 0.5 * a_position.y);
}
