// Straight strokes of any width and colour, as two triangles each; lengths in pixels, y down.
attribute vec2 a_place;
attribute float a_aside;  // distance from the stroke's middle
attribute float a_half;   // half its width
attribute vec4 a_colour;
uniform vec2 u_size;      // of the target
varying float v_aside;
varying float v_half;
varying vec4 v_colour;

void main() {
    gl_Position = vec4(2.0 * a_place.x / u_size.x - 1.0, 1.0 - 2.0 * a_place.y / u_size.y, 0.0, 1.0);
    v_aside = a_aside;
    v_half = a_half;
    v_colour = a_colour;
}
