// A stroke with soft sides; colour is premultiplied by alpha.
varying float v_aside;
varying float v_half;
varying vec4 v_colour;

void main() {
    float cover = clamp(v_half + 0.5 - abs(v_aside), 0.0, 1.0) * v_colour.a;
    gl_FragColor = vec4(v_colour.rgb * cover, cover);
}
